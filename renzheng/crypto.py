"""Keys and what they protect: signatures of a device, data at rest on a box, data for the server's eyes alone.

Nothing here is our own cryptography: Ed25519 (RFC 8032), AES-256-GCM (NIST SP 800-38D) and HPKE (RFC 9180,
DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM) from the ``cryptography`` library.
"""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from renzheng.errors import BadInput
from renzheng.files import atomic_path, make_private

KEY_BYTES = 32
_NONCE_BYTES = 12
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class Tampered(BadInput):
    """Bytes that were sealed or signed are not what they were, or another key made them."""


def read_or_make_key(path: Path) -> bytes:
    """The 32 bytes of a key file, made at random for its owner alone when there is none.

    Raises :class:`BadInput` when the file holds something else.
    """
    if not path.exists():
        make_private(path.parent)
        with atomic_path(path) as part:
            part.touch(mode=0o600)
            part.write_bytes(os.urandom(KEY_BYTES))
    data = path.read_bytes()
    if len(data) != KEY_BYTES:
        raise BadInput(f"{path}: expected a key of {KEY_BYTES} bytes, found {len(data)}")
    return data


@dataclass(frozen=True)
class Sealer:
    """Encrypts what stays on this machine; ``context`` ties bytes to their place, so that they cannot be swapped."""

    key: bytes

    def seal(self, plain: bytes, context: str) -> bytes:
        """Nonce and ciphertext."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self.key).encrypt(nonce, plain, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """The plain bytes. Raises :class:`Tampered`."""
        try:
            return AESGCM(self.key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError) as error:
            raise Tampered(f"{context}: cannot be decrypted; altered, cut off, or sealed under another key") from error


class SigningKey:
    """A device's Ed25519 key."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()
        self.key_id = hashlib.sha256(self.public).hexdigest()

    def sign(self, message: bytes) -> str:
        """The signature, base64."""
        return base64.b64encode(self._key.sign(message)).decode()


def verify(public: bytes, message: bytes, signature: str) -> None:
    """Raises :class:`Tampered` unless ``signature`` (base64) was made over the message with that key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(signature, validate=True), message)
    except (InvalidSignature, ValueError) as error:
        raise Tampered("the signature does not belong to these bytes and this key") from error


def public_of(private: bytes) -> bytes:
    """The raw X25519 public key of a raw private key."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def seal_for(public: bytes, plain: bytes, context: str) -> bytes:
    """Encrypt for the holder of an X25519 key; whoever seals cannot open it again."""
    return _SUITE.encrypt(plain, X25519PublicKey.from_public_bytes(public), info=context.encode())


def open_sealed(private: bytes, sealed: bytes, context: str) -> bytes:
    """What :func:`seal_for` sealed. Raises :class:`Tampered`."""
    try:
        return _SUITE.decrypt(sealed, X25519PrivateKey.from_private_bytes(private), info=context.encode())
    except (InvalidTag, ValueError) as error:
        raise Tampered(f"{context}: cannot be decrypted; altered, cut off, or sealed for another key") from error
