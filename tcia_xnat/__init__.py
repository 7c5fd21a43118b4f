"""Bring DICOM series from TCIA and the Imaging Data Commons into XNAT."""

__version__ = "2.0.0"
