"""Whose images go where: from PatientID, StudyInstanceUID and what XNAT holds to labels, or to a refusal. Pure.

What one PatientID names never goes to the subject of another, unless the user says that they are one.
"""

from tcia_xnat.planning.identity.groups import Templates
from tcia_xnat.planning.identity.refusal import Refusal
from tcia_xnat.planning.identity.resolve import Identified, identify, misplaced
from tcia_xnat.planning.identity.same_patient import SamePatient
from tcia_xnat.planning.identity.words import clean, is_numbered

__all__ = ["Identified", "Refusal", "SamePatient", "Templates", "clean", "identify", "is_numbered", "misplaced"]
