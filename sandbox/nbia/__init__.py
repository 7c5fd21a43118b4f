"""TCIA's NBIA: its REST interface and its retriever's servlet, on loopback (tcia-nbia-and-idc.md §2 to §5)."""

from sandbox.nbia.application import Nbia

__all__ = ["Nbia"]
