"""Texts of strangers, without what a terminal or a log would obey instead of showing it."""

import unicodedata

_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # they move the cursor, turn the writing direction, or cannot be encoded


class _Seen(dict[int, int | None]):
    """Code points as `str.translate` wants them: unseen ones are dropped, except the end of a line."""

    def __missing__(self, code: int) -> int | None:
        is_unseen = chr(code) != "\n" and unicodedata.category(chr(code)) in _UNSEEN
        self[code] = None if is_unseen else code
        return self[code]


_SEEN = _Seen()


def harmless(text: str) -> str:
    """Return a text without the characters that a terminal would obey instead of showing them."""
    return text.translate(_SEEN)


def one_line(text: str) -> str:
    """Return a text as one harmless line."""
    return harmless(" ".join(text.split()))
