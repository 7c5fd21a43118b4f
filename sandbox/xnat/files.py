"""Documents on disk, which nobody sees half written."""

import threading
from pathlib import Path


def write_document(path: Path, text: str) -> None:
    """Write a document, its folder if there is none; a reader gets the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{threading.get_ident()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
