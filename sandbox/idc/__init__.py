"""The buckets of the Imaging Data Commons, as S3 serves them, on loopback (tcia-nbia-and-idc.md §7)."""

from sandbox.idc.s3 import Buckets

__all__ = ["Buckets"]
