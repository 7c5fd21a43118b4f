"""The command that XNAT's Container Service runs: command.json checked, and made the label of an image.

What the service does with it is in xnat-container-command.md; its requirements CJ and DF are the rules here.
"""

from tcia_xnat.xnat_command.check import check
from tcia_xnat.xnat_command.document import Finding
from tcia_xnat.xnat_command.label import label_line, problem, replaced, values

__all__ = ["Finding", "check", "label_line", "problem", "replaced", "values"]
