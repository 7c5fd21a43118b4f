"""DICOM that lies on disk: what a tree holds, what each file is, and which subject and session it belongs to."""
