"""The word in time before a filing is due."""

from __future__ import annotations

import pytest

from server.context import Server
from server.people import filing, repository
from server.people.filing import filing_notice
from tests.server.conftest import PHARMACY
from tests.server.people.making import make_member, make_person, unit


def test_everybody_whose_face_is_stored_counts_once(server: Server) -> None:
    make_person(server, "p1", vectors=[unit(1), unit(2)])
    make_person(server, "no-photo")
    make_member(server, PHARMACY, "a1", [unit(3)])
    with server.database.transaction(writes=False) as session:
        assert repository.people_with_photos(session) == 2


def test_a_notice_comes_before_a_hundred_thousand_people(
    sqlite_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (filing.WARN_FROM, filing.FILING_AT) == (90_000, 100_000)
    with sqlite_server.database.transaction(writes=False) as session:
        for people, code in ((89_999, None), (90_000, "filing_near"), (99_999, "filing_near"), (100_000, "filing_due")):
            monkeypatch.setattr(repository, "people_with_photos", lambda _session, people=people: people)
            notice = filing_notice(session)
            assert (notice.code if notice else None) == code
            assert notice is None or (str(people) in notice.zh and str(people) in notice.en)
