"""A set of UIDs, packed: millions of SOPInstanceUIDs wait for the end of their study, and in the ledger."""

import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from tcia_xnat.core.errors import UsageError

_MAX_BYTES = 256_000_000  # of a set when it is unpacked: 4 million UIDs of 64 characters


@dataclass(frozen=True, slots=True)
class UidSet:
    """UIDs in order, each once, compressed."""

    packed: bytes

    @classmethod
    def of(cls, uids: Iterable[str]) -> "UidSet":
        """Pack UIDs."""
        return cls(zlib.compress("\n".join(sorted(set(uids))).encode(), 1))

    def unpacked(self) -> frozenset[str]:
        """Return the UIDs.

        Raises
        ------
        UsageError
            The bytes are no packed set, or one of absurd size.
        """
        return frozenset(self._text().split("\n")) - {""}

    @property
    def digest(self) -> str:
        """SHA-256 of the UIDs in order, a line each."""
        return hashlib.sha256(self._text().encode()).hexdigest()

    def _text(self) -> str:
        unpacker = zlib.decompressobj()
        try:
            text = unpacker.decompress(self.packed, _MAX_BYTES).decode()
        except (zlib.error, UnicodeDecodeError) as error:
            raise UsageError("a set of UIDs cannot be unpacked") from error
        if not unpacker.eof:
            raise UsageError("a set of UIDs is cut short, or too large")
        return text
