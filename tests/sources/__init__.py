"""Tests of the sources: real sockets, real zips, real DICOM."""
