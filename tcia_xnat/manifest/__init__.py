"""Lists of series: every form in the wild read into one `Manifest`, and written as .tcia (tcia-nbia-and-idc.md §1)."""

from tcia_xnat.manifest.model import Manifest, Rejected
from tcia_xnat.manifest.read import find, parse, read
from tcia_xnat.manifest.write import write_modified, write_tcia

__all__ = ["Manifest", "Rejected", "find", "parse", "read", "write_modified", "write_tcia"]
