"""A subset of DicomEdit 6, the language of XNAT's anonymization scripts: parsed as a whole, then run on headers.

`sandbox/README.md` says what the subset leaves out; that is a script error here.
"""

from sandbox.xnat.dicomedit.parser import parse
from sandbox.xnat.dicomedit.script import Script
from sandbox.xnat.dicomedit.tokens import ScriptError

__all__ = ["Script", "ScriptError", "parse"]
