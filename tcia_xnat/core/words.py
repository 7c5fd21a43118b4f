"""Numbers with their nouns."""


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: 1 image, 1,532 images."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
