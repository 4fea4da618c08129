"""Who may do what. A role is a fixed set of permissions; the table below is all there is."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What somebody's post is."""

    REVIEWER = "reviewer"
    SENIOR_REVIEWER = "senior_reviewer"
    CASE_OFFICER = "case_officer"
    ENROLLER = "enroller"
    INSPECTOR = "inspector"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Permission(StrEnum):
    """What a route asks for."""

    SEE_SITES = "see_sites"
    EDIT_SITES = "edit_sites"
    EDIT_USERS = "edit_users"
    SEE_PEOPLE = "see_people"
    ENROL = "enrol"
    SEE_FACES = "see_faces"
    ERASE = "erase"
    SEE_CHECKS = "see_checks"
    SEE_SETTLEMENTS = "see_settlements"
    IMPORT_SETTLEMENTS = "import_settlements"
    HOLD = "hold"
    SEE_AUDIT_LOG = "see_audit_log"
    ROUND = "round"


_P = Permission
_REVIEW = {_P.SEE_SITES, _P.SEE_PEOPLE, _P.SEE_FACES, _P.SEE_CHECKS, _P.SEE_SETTLEMENTS}

PERMISSIONS: Final[dict[Role, frozenset[Permission]]] = {
    Role.REVIEWER: frozenset(_REVIEW),
    Role.SENIOR_REVIEWER: frozenset(_REVIEW | {_P.HOLD}),
    Role.CASE_OFFICER: frozenset(_REVIEW | {_P.HOLD}),
    Role.ENROLLER: frozenset({_P.SEE_SITES, _P.SEE_PEOPLE, _P.ENROL, _P.SEE_FACES, _P.ERASE}),
    Role.INSPECTOR: frozenset({_P.SEE_SITES, _P.SEE_PEOPLE, _P.ROUND}),
    Role.AUDITOR: frozenset({_P.SEE_SITES, _P.SEE_AUDIT_LOG}),
    Role.ADMIN: frozenset({_P.SEE_SITES, _P.EDIT_SITES, _P.EDIT_USERS, _P.SEE_SETTLEMENTS, _P.IMPORT_SETTLEMENTS}),
}
"""An admin sees no faces, an auditor no people: whoever keeps the server or watches the reviewers needs neither."""
