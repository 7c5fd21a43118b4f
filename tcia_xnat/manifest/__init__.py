"""Lists of series: every form in the wild read into one `Manifest`, and written (tcia-nbia-and-idc.md §1)."""

from tcia_xnat.manifest.broken import passed_over
from tcia_xnat.manifest.merge import merge
from tcia_xnat.manifest.model import Level, Manifest, Original, Reading
from tcia_xnat.manifest.read import STDIN, find, parse, read, read_all
from tcia_xnat.manifest.write import write_csv, write_modified, write_s5cmd, write_tcia

__all__ = [
    "STDIN",
    "Level",
    "Manifest",
    "Original",
    "Reading",
    "find",
    "merge",
    "parse",
    "passed_over",
    "read",
    "read_all",
    "write_csv",
    "write_modified",
    "write_s5cmd",
    "write_tcia",
]
