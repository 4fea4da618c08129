"""Keys, signatures and sealed bytes: as the standards say, and nothing altered or swapped goes unnoticed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from renzheng.crypto import (
    KEY_BYTES,
    Sealer,
    SigningKey,
    Tampered,
    open_sealed,
    public_of,
    read_or_make_key,
    seal_for,
    verify,
)
from renzheng.errors import BadInput

PRIVATE = bytes(range(32))
PLAIN = "样本".encode() + bytes(100)


# --- key files --------------------------------------------------------------------------------------------------------


def test_a_key_is_made_once_at_random_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "device" / "signing.key"
    key = read_or_make_key(path)

    assert len(key) == KEY_BYTES
    assert read_or_make_key(path) == key
    assert read_or_make_key(tmp_path / "other.key") != key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["signing.key"]


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_file_of_another_size_is_told_and_not_replaced(tmp_path: Path, size: int) -> None:
    path = tmp_path / "key"
    path.write_bytes(bytes(size))
    with pytest.raises(BadInput, match=f"key: expected a key of 32 bytes, found {size}"):
        read_or_make_key(path)
    assert path.stat().st_size == size


# --- at rest ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [b"", b"x", PLAIN])
def test_sealed_bytes_come_back_and_are_never_sealed_alike(plain: bytes) -> None:
    sealer = Sealer(PRIVATE)
    first, second = sealer.seal(plain, "person-1"), sealer.seal(plain, "person-1")
    assert first != second
    assert sealer.open(first, "person-1") == sealer.open(second, "person-1") == plain


def test_sealed_bytes_that_were_altered_cut_or_moved_to_another_place_do_not_open() -> None:
    sealer = Sealer(PRIVATE)
    sealed = sealer.seal(PLAIN, "person-1")
    altered = [sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :] for place in (0, 11, 12, 60, -1)]
    altered[-1] = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for spoilt in (*altered, b"", sealed[:5], sealed[:12], sealed[:20], sealed[:-1], sealed + b"x"):
        with pytest.raises(Tampered, match="person-1: cannot be decrypted"):
            sealer.open(spoilt, "person-1")
    with pytest.raises(Tampered):
        sealer.open(sealed, "person-2")
    with pytest.raises(Tampered):
        Sealer(bytes(32)).open(sealed, "person-1")


# --- signatures -------------------------------------------------------------------------------------------------------


def test_signatures_are_those_of_rfc_8032() -> None:
    """Its section 7.1, test 2."""
    key = SigningKey(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
    signature = base64.b64decode(key.sign(b"\x72"))

    assert key.public.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert signature.hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert key.key_id == hashlib.sha256(key.public).hexdigest()
    verify(key.public, b"\x72", key.sign(b"\x72"))


def test_a_signature_of_other_bytes_or_another_key_or_none_at_all_does_not_hold() -> None:
    key, other = SigningKey(PRIVATE), SigningKey(bytes(32))
    good = key.sign(PLAIN)
    for public, message, signature in (
        (key.public, PLAIN + b" ", good),
        (other.public, PLAIN, good),
        (key.public, PLAIN, other.sign(PLAIN)),
        (key.public, PLAIN, good[:-4]),
        (key.public, PLAIN, ""),
        (key.public, PLAIN, "签名"),
        (key.public, PLAIN, good[:10] + "\n" + good[10:]),
        (b"short", PLAIN, good),
    ):
        with pytest.raises(Tampered, match="the signature does not belong"):
            verify(public, message, signature)


# --- for the server alone ---------------------------------------------------------------------------------------------


def _extract(salt: bytes, label: bytes, key: bytes, suite: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + key, "sha256")


def _expand(key: bytes, label: bytes, info: bytes, size: int, suite: bytes) -> bytes:
    labelled = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(key, labelled + b"\x01", "sha256")[:size]  # never more than one block here


def opened_by_the_formulas(private: bytes, sealed: bytes, info: bytes) -> bytes:
    """RFC 9180, sections 4.1 and 5.1, base mode, worked out from X25519, HMAC and AES-256-GCM alone."""
    kem, hpke = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"
    ephemeral, ciphertext = sealed[:32], sealed[32:]
    shared = X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(ephemeral))
    secret = _expand(_extract(b"", b"eae_prk", shared, kem), b"shared_secret", ephemeral + public_of(private), 32, kem)
    context = b"\x00" + _extract(b"", b"psk_id_hash", b"", hpke) + _extract(b"", b"info_hash", info, hpke)
    root = _extract(secret, b"secret", b"", hpke)
    key, nonce = (_expand(root, label, context, size, hpke) for label, size in ((b"key", 32), (b"base_nonce", 12)))
    return AESGCM(key).decrypt(nonce, ciphertext, b"")


def test_what_is_sealed_for_a_server_is_hpke_as_rfc_9180_says() -> None:
    sealed = seal_for(public_of(PRIVATE), PLAIN, "check S1")
    assert opened_by_the_formulas(PRIVATE, sealed, b"check S1") == PLAIN
    assert open_sealed(PRIVATE, sealed, "check S1") == PLAIN
    assert seal_for(public_of(PRIVATE), PLAIN, "check S1") != sealed


def test_what_is_sealed_for_a_server_opens_for_nobody_else_and_in_no_other_place() -> None:
    sealed = seal_for(public_of(PRIVATE), PLAIN, "check S1")
    for spoilt in (b"", sealed[:31], sealed[:32], sealed[:-1], sealed + b"x", bytes(32) + sealed[32:], sealed[1:]):
        with pytest.raises(Tampered, match="check S1: cannot be decrypted"):
            open_sealed(PRIVATE, spoilt, "check S1")
    for place in (0, 31, 32, len(sealed) - 1):
        spoilt = bytearray(sealed)
        spoilt[place] ^= 1
        with pytest.raises(Tampered):
            open_sealed(PRIVATE, bytes(spoilt), "check S1")
    with pytest.raises(Tampered):
        open_sealed(PRIVATE, sealed, "check S2")
    with pytest.raises(Tampered):
        open_sealed(bytes(reversed(PRIVATE)), sealed, "check S1")
