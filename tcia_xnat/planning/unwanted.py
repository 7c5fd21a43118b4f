"""What waits in a session that is about to be archived, and that an option of this run leaves out. Pure.

An earlier run may have sent it: with `--no-archive` to have it looked at, or because its study was not complete.
"""

from collections.abc import Collection, Mapping

from tcia_xnat.planning.pairing import Scan

HINT = "delete the session, or that scan of it, in the prearchive; then run the same command again"


def find_unwanted(
    scans: Mapping[str, Scan], pairs: Mapping[str, str], sent: Mapping[str, int], unwanted: Collection[str]
) -> str:
    """Return the SeriesInstanceUID of a scan that has what is left out; empty when there is none.

    Where UIDs were changed, each scan that was not sent may be one that is left out.

    Parameters
    ----------
    scans
        What the session holds, by SeriesInstanceUID.
    pairs
        SeriesInstanceUID as it was sent → that of its scan.
    sent
        SeriesInstanceUID as it was sent → its number of images.
    unwanted
        SeriesInstanceUIDs of the study of which an option leaves out all images, or some.
    """
    if not unwanted:
        return ""
    is_changed = any(uid != scan for uid, scan in pairs.items())
    others = [uid for uid in scans if uid not in pairs.values() and (is_changed or uid in unwanted)]
    fuller = [scan for uid, scan in pairs.items() if uid in unwanted and _has_more(scans[scan], sent[uid])]
    return min([*others, *fuller], default="")


def _has_more(scan: Scan, sent: int) -> bool:
    return scan.count is None or scan.count > sent
