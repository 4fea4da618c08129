"""What a password must be like, and how it is kept."""

from __future__ import annotations

from threading import BoundedSemaphore

import pytest

from server.errors import Unacceptable, Unavailable
from server.users import passwords


@pytest.mark.parametrize("password", ["staple battery", "密码要足够长才行对不对呢", "0123456789ab"])
def test_a_long_password_of_different_characters_will_do(password: str) -> None:
    passwords.require_good(password, "wang.fang", "password")


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("", "12 characters"),
        ("0123456789a", "12 characters"),
        ("abababababababab", "5 different"),
        ("I am Wang.Fang of Yuyao", "user's name"),
    ],
)
def test_a_password_that_is_guessed_too_easily_is_refused(password: str, expected: str) -> None:
    with pytest.raises(Unacceptable, match=expected):
        passwords.require_good(password, "wang.fang", "password")


def test_a_hash_is_argon2id_with_64_mib_and_another_each_time() -> None:
    first, second = passwords.hash_of("staple battery"), passwords.hash_of("staple battery")
    assert first.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert first != second
    assert passwords.is_right(first, "staple battery")
    assert not passwords.is_right(first, "staple batterz")


def test_the_same_characters_from_another_keyboard_are_the_same_password() -> None:
    assert passwords.is_right(passwords.hash_of("ｓｔａｐｌｅ battery"), "staple battery")


@pytest.mark.parametrize("stored", [None, "-", ""])
def test_what_is_no_hash_fits_no_password(stored: str | None) -> None:
    assert not passwords.is_right(stored, "nobody has this password")


def test_when_too_many_are_compared_at_once_others_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_TURNS", BoundedSemaphore(1))
    monkeypatch.setattr(passwords, "WAIT_S", 0.01)
    with passwords._turn(), pytest.raises(Unavailable):
        passwords.is_right(None, "staple battery")
    assert not passwords.is_right(None, "staple battery")
