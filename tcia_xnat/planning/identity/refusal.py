"""Why a series may not go where it would: each says whose it is, whose the place is, and what settles it."""

from dataclasses import dataclass

from tcia_xnat.core.model import Label
from tcia_xnat.planning.identity.same_patient import SamePatient


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a series does not move, and what to do; `kind` is a word for programs."""

    reason: str
    hint: str
    kind: str = "PatientConflict"


def of_another_patient(study: str, label: Label, owner: str | None, patient_id: str) -> Refusal:
    """Refuse a study that XNAT holds as somebody else's.

    Parameters
    ----------
    owner
        PatientID that the provenance of the session has; None when there is none.
    """
    where = f"XNAT has its study {study} as session {label.session} of subject {label.subject}"
    if owner is None:
        said = f"{where}, not called after its PatientID {patient_id}, and no provenance there says whose it is"
    else:
        said = f"{where}, of PatientID {owner}; the PatientID of these images is {patient_id}"
    option = SamePatient.hint(label.subject if owner is None else owner, patient_id)
    return Refusal(said, f"if both are one patient: {option}; else settle in XNAT whose session {label.session} is")


def of_another_subject(subject: str, owners: frozenset[str], patient_id: str) -> Refusal:
    """Refuse images that a folder would put under a subject whose images have another PatientID."""
    owner = min(owners)
    return Refusal(
        f"its folder names subject {subject}, whose images are of PatientID {owner}; its own PatientID is {patient_id}",
        f"if both are one patient: {SamePatient.hint(owner, patient_id)}; else put it below a folder of its own",
    )


def of_study_elsewhere(study: str, label: Label, subject: str, patient_id: str) -> Refusal:
    """Refuse images of a study that XNAT has under another subject than the one that their folder names."""
    return Refusal(
        f"its folder names subject {subject}, and XNAT has its study {study} as session {label.session} of subject "
        f"{label.subject}",
        f"if both are one: {SamePatient.hint(label.subject, patient_id)} puts it there; else --exclude leaves it out",
    )


def of_another_type(label: Label, session_type: str, modalities: frozenset[str], *, is_held: bool = False) -> Refusal:
    """Refuse what XNAT would not add to a session, before it is sent.

    Parameters
    ----------
    is_held
        The session has a part of it, so that another session would hold it twice.
    """
    kind = session_type.removeprefix("xnat:").removesuffix("SessionData").upper()
    return Refusal(
        f"session {label.session} of the archive is a {kind} session, and XNAT adds no {'/'.join(sorted(modalities))} "
        "to it (invalid modification of session modality)",
        f"have preventCrossModalityMerge switched off in XNAT, or delete session {label.session}; then run this again"
        if is_held
        else "--split-session puts it into a session of its own beside it",
        "ModalityConflict",
    )


def in_foreign_session(url: str) -> Refusal:
    """Refuse a study of which somebody else has a session in the prearchive: what waits there is his to look at."""
    return Refusal(
        f"a session of its study that this tool has not made waits in the prearchive: {url}",
        "archive it or delete it in XNAT, then run the same command again",
        "ForeignSession",
    )
