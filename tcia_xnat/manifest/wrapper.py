"""XML around lists: TCIA's collections point at manifests, JNLP files hold pipe lines (tcia-nbia-and-idc.md §1.2)."""

from tcia_xnat.core.errors import ManifestError
from tcia_xnat.core.foreign import parse_xml
from tcia_xnat.manifest.model import Manifest
from tcia_xnat.manifest.text import parse_text


def parse_wrapper(text: str, name: str) -> Manifest:
    """Read XML.

    Raises
    ------
    ManifestError
        It is broken, or holds neither addresses nor pipe lines.
    """
    try:
        root = parse_xml(text.strip(), may_have_type=True)
    except ValueError as error:
        raise _no_list(name) from error
    addresses = [url.text.strip() for url in root.iterfind(".//{*}Downloads/{*}URL") if url.text]
    lines = [argument.text for argument in root.iterfind(".//{*}argument") if "|" in (argument.text or "")]
    if lines:
        return parse_text("\n".join(filter(None, lines)), name)
    if not any(addresses):
        raise _no_list(name)
    return Manifest(name, addresses=tuple(dict.fromkeys(filter(None, addresses))))


def _no_list(name: str) -> ManifestError:
    return ManifestError(
        f"{name} is XML, which holds no list of series",
        "look whether it is the right file, or a page with an error in its place, and have the manifest made anew",
    )
