"""The subjects that a run makes: each is made before its first image is sent, and XNAT says what it is called.

XNAT takes labels that differ in case only for one (xnat-http.md §6.4). Runs that plan at the same time do not see each
other's subjects: `Cas` of one would become the subject of `CAS` of the other.
"""

import threading
from collections.abc import Collection

from tcia_xnat.core.errors import ArchiveConflict
from tcia_xnat.core.model import Label
from tcia_xnat.xnat.project import XnatProject

_HINT = "run the same command again: the subject gets a label of its own"


class Claims:
    """The subjects of one run.

    Parameters
    ----------
    known
        Subjects that the plan knows of; these are not made.
    archives
        Whether the run archives; else whoever archives what it sends makes the subjects, and none is made before.
    """

    def __init__(self, project: XnatProject, known: Collection[str], *, archives: bool = True) -> None:
        self._project, self._known, self._archives = project, known, archives
        self._lock = threading.Lock()
        self._subjects: dict[str, threading.Lock] = {}
        self._found: dict[str, str] = {}

    def take(self, label: Label) -> None:
        """Make the subject of a label, or see that it is there, once in a run.

        Raises
        ------
        ArchiveConflict
            XNAT has it in other letters, as another run has made it meanwhile.
        """
        subject = label.subject
        if not self._archives or subject in self._known or subject.lower() == subject.upper():
            return
        with self._lock:
            own = self._subjects.setdefault(subject, threading.Lock())
        with own:
            if subject not in self._found:
                self._found[subject] = self._project.claim_subject(subject)
        if (found := self._found[subject]) != subject:
            raise ArchiveConflict(
                f"another run has made subject {found} meanwhile, which XNAT takes for {subject}", _HINT
            )
