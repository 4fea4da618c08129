"""The pages about accounts say what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.limits import MB, USUAL_BYTES
from server.permissions import PERMISSIONS, Permission, Role
from server.users import passwords, throttle

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.parametrize("page", ["accounts.md", "accounts.zh-CN.md"])
def test_the_page_names_every_role_and_the_numbers_in_force(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert [role for role in Role if f"`{role}`" not in text] == []
    for number in (passwords.SHORTEST, throttle.FREE_OF_AN_ADDRESS, USUAL_BYTES // MB, 15):
        assert f" {number} " in text, number


def test_the_page_is_right_about_who_sees_no_faces() -> None:
    blind = {Role.AUDITOR, Role.ADMIN, Role.INSPECTOR}
    assert {role for role in Role if Permission.SEE_FACES not in PERMISSIONS[role]} == blind
    assert {role for role in Role if Permission.SEE_PEOPLE not in PERMISSIONS[role]} == {Role.AUDITOR, Role.ADMIN}
    assert (throttle.FREE_OF_A_LOGIN, passwords.LEAST_DIFFERENT) == (5, 5)
