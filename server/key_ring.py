"""The keys that protect what is kept: sealing at rest, blind indexes, and samples that boxes seal for the server.

What is sealed carries the number of its key, so that keys can be added and old ones retired once everything was
sealed anew (``renzheng server rotate-keys``). The ring is a secret: it comes by setting, never from the database.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import os
from dataclasses import dataclass
from typing import Any

from renzheng.crypto import KEY_BYTES, Sealer, Tampered, open_sealed, public_of
from renzheng.errors import BadInput

_NUMBER_BYTES = 4


@dataclass(frozen=True)
class KeyRing:
    """``sealing`` and ``receiving`` hold keys by number; the highest number is in use, the others only open.

    The index key cannot be changed without indexing everything anew.
    """

    sealing: dict[int, bytes]
    receiving: dict[int, bytes]
    index_key: bytes

    @classmethod
    def made(cls) -> KeyRing:
        """A new ring with one key of each kind."""
        return cls({1: os.urandom(KEY_BYTES)}, {1: os.urandom(KEY_BYTES)}, os.urandom(KEY_BYTES))

    @classmethod
    def read(cls, text: str) -> KeyRing:
        """The ring that :meth:`text` wrote. Raises :class:`BadInput` that says what is wrong, never a key."""
        try:
            told = json.loads(text)
            ring = cls(_keys(told["sealing"]), _keys(told["receiving"]), _key(told["index"]))
        except (ValueError, TypeError, KeyError, AttributeError, binascii.Error) as error:
            raise BadInput("key_ring: expected what `renzheng server make-keys` writes") from error
        if not ring.sealing or not ring.receiving:
            raise BadInput("key_ring: expected at least one sealing and one receiving key")
        return ring

    def text(self) -> str:
        """As JSON, for a file that nobody but the server reads."""

        def shown(keys: dict[int, bytes]) -> dict[str, str]:
            return {str(number): base64.b64encode(key).decode() for number, key in keys.items()}

        index = base64.b64encode(self.index_key).decode()
        return json.dumps({"sealing": shown(self.sealing), "receiving": shown(self.receiving), "index": index})

    def with_new_keys(self) -> KeyRing:
        """The ring with one more sealing and one more receiving key, which are in use from now on."""
        sealing = {**self.sealing, self.current + 1: os.urandom(KEY_BYTES)}
        receiving = {**self.receiving, max(self.receiving) + 1: os.urandom(KEY_BYTES)}
        return KeyRing(sealing, receiving, self.index_key)

    @property
    def current(self) -> int:
        """Number of the sealing key in use."""
        return max(self.sealing)

    def seal(self, plain: bytes, context: str) -> bytes:
        """Key number, nonce and ciphertext; ``context`` ties the bytes to their row, so that they cannot be swapped."""
        return self.current.to_bytes(_NUMBER_BYTES, "big") + Sealer(self.sealing[self.current]).seal(plain, context)

    def open(self, sealed: bytes, context: str) -> bytes:
        """The plain bytes. Raises :class:`Tampered`."""
        key = self.sealing.get(self.key_number(sealed))
        if key is None:
            raise Tampered(f"{context}: sealed under key {self.key_number(sealed)}, which is not in the ring")
        return Sealer(key).open(sealed[_NUMBER_BYTES:], context)

    @staticmethod
    def key_number(sealed: bytes) -> int:
        """Number of the key that bytes were sealed under."""
        return int.from_bytes(sealed[:_NUMBER_BYTES], "big")

    def seal_text(self, text: str, context: str) -> bytes:
        """As :meth:`seal`, of text in UTF-8."""
        return self.seal(text.encode(), context)

    def open_text(self, sealed: bytes, context: str) -> str:
        """What :meth:`seal_text` sealed. Raises :class:`Tampered`."""
        return self.open(sealed, context).decode()

    def blind_index(self, kind: str, value: str) -> str:
        """HMAC-SHA256 of a value, hex: equal values of one kind have equal indexes, and nothing else can be told."""
        return hmac.digest(self.index_key, f"{kind}\0{value}".encode(), "sha256").hex()

    @property
    def public_key(self) -> bytes:
        """Raw X25519 key that boxes seal samples for."""
        return public_of(self.receiving[max(self.receiving)])

    @property
    def receiving_keys(self) -> list[bytes]:
        """Private keys for samples from boxes, newest first: a box may still seal for an older one."""
        return [self.receiving[number] for number in sorted(self.receiving, reverse=True)]

    def open_from_box(self, sealed: bytes, context: str) -> bytes:
        """What a box sealed with :func:`renzheng.crypto.seal_for`. Raises :class:`Tampered`."""
        for key in self.receiving_keys:
            try:
                return open_sealed(key, sealed, context)
            except Tampered:
                continue
        raise Tampered(f"{context}: cannot be opened with any key of the ring")


def _keys(told: dict[str, Any]) -> dict[int, bytes]:
    return {int(number): _key(value) for number, value in told.items()}


def _key(value: str) -> bytes:
    key = base64.b64decode(value, validate=True)
    if len(key) != KEY_BYTES:
        raise ValueError("a key has another length")
    return key
