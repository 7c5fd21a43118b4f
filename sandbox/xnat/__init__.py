"""An XNAT 1.8 on loopback: what it answers over HTTP, and what becomes of the images (xnat-http.md).

An upload goes `importer` → `dicomzip` → `zipinput` → `receiver` → `prearchive`; a session goes `builder` → `archiver` →
`merge` → `archive`. Files named `…_pages` hold what is asked over HTTP; `application` lists all addresses.
"""

from sandbox.xnat.application import make_application
from sandbox.xnat.server import XnatServer
from sandbox.xnat.settings import Clock, Settings

__all__ = ["Clock", "Settings", "XnatServer", "make_application"]
