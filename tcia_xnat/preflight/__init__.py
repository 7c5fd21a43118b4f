"""The doctor: what would keep a run from succeeding, and what to do about it, before it is started."""

from tcia_xnat.preflight.arguments import login, names
from tcia_xnat.preflight.finding import Finding, Verdict, exit_code
from tcia_xnat.preflight.order import Asked, check_up
from tcia_xnat.preflight.show import as_json, show_lines

__all__ = ["Asked", "Finding", "Verdict", "as_json", "check_up", "exit_code", "login", "names", "show_lines"]
