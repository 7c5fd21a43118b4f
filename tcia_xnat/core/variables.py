"""Names of variables: those that no program knows are told, with the nearest that one does."""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

PREFIX = "TCIA_XNAT"
ALLOW_PRIVATE = f"{PREFIX}_ALLOW_PRIVATE_HOSTS"
"""Lets manifests lead to private addresses, on this machine and in its network, also by plain http."""

OF_XNAT_COMMAND: Mapping[str, str] = {
    "MANIFEST_NAME": "name of the manifest, a file in the resource `TCIA` of the project",
    "CONTEXT_PROJECT": "ID of the project that holds the manifest",
    "TARGET_PROJECT": "ID of the project that gets the images; empty means the former; it must exist",
    "INPUT_DIR": "folder where that resource is mounted, `/input` unless set",
    "OUTPUT_DIR": "folder of the report and the state, `/output` unless set",
}
"""The XNAT command's own, without the prefix, and what each is."""

_OF_OTHER_PROGRAMS = (
    "ACCEPT_REJECTED ALL ALLOW_PRIVATE_HOSTS ALLOW_UNMATCHED ARCHIVE BWLIMIT CHECK CHECKOUT CHECK_GEOMETRY "
    "COLLECTIONS COLUMN CONFIG "
    "CREATE_PROJECT DEBUG DIR_TEMPLATE DOI_URL DRY_RUN EXCLUDE EXISTING EXPLAIN EXPLAIN_CSV FOLLOW_LINKS FORMAT "
    "IDC_INDEX IDC_URL INCLUDE KEEP_PATHS LAYOUT LICENCE_FILTER LIMIT LOG_JSON MAPPING MAX_OUTAGE "
    "MAX_PAIRS_PER_PATIENT "
    "MODALITY NAMES NBIA_URL ONE_WAY ORDER OUTPUT PARTIAL PATIENTS "
    "QUERY QUIET RATE RETRIES RETRY_WAIT SAME_PATIENT "
    "SESSION_LABEL SHARD SOURCE SOURCE_TIMEOUT SPLIT_SESSION SPOOL_DIR SPOOL_LIMIT SUBJECT_LABEL THUMBNAILS "
    "TRANSFERS UPLOADS VERIFY WORKDIR ZIPMODE"
)  # a test compares this with their options
KNOWN = frozenset(f"{PREFIX}_{name}" for name in (*OF_XNAT_COMMAND, *_OF_OTHER_PROGRAMS.split()))


def unknown_variables(names: Collection[str], known: Collection[str] = KNOWN) -> Iterator[str]:
    """Yield a warning for each variable with our prefix that is not known.

    Parameters
    ----------
    known
        Whole names; those of all programs unless given, as one shell is set up for all of them.
    """
    for name in sorted(names):
        if name.startswith(f"{PREFIX}_") and name not in known:
            near = get_close_matches(name, sorted(known), 1, 0.8)
            yield f"no option has the variable {name}" + (f"; did you mean {near[0]}?" if near else "")
