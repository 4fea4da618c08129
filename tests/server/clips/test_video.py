"""Clips are looked at in parts, for a purpose, by those who may, and each look is logged."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from renzheng.contracts import SignedManifest
from renzheng.crypto import verify
from server.clips.ranges import BeyondTheEnd, part_asked
from server.permissions import Role
from server.tables import AuditEntry
from tests.server.clips.uploading import VIDEO, Uploader, clips
from tests.server.conftest import HANGZHOU, House


@pytest.fixture
def video(sqlite_house: House) -> str:
    """Address of a clip's video."""
    Uploader(sqlite_house).upload()
    (clip,) = clips(sqlite_house.server)
    return f"/v1/clips/{clip.id}/video"


def test_a_clip_is_shown_whole_or_in_the_part_that_is_asked_for(video: str, sqlite_house: House) -> None:
    reviewer = sqlite_house.user(Role.REVIEWER)
    whole = reviewer.get(video, params={"purpose": "疑点复核"})
    assert (whole.status_code, whole.content, whole.headers["Content-Type"]) == (200, VIDEO, "video/mp4")
    assert whole.headers["Accept-Ranges"] == "bytes"
    part = reviewer.get(video, params={"purpose": "疑点复核"}, headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, VIDEO[5:10])
    assert part.headers["Content-Range"] == f"bytes 5-9/{len(VIDEO)}"
    assert part.headers["Content-Length"] == "5"
    beyond = reviewer.get(video, params={"purpose": "x"}, headers={"Range": f"bytes={len(VIDEO)}-"})
    assert beyond.status_code == 416
    with sqlite_house.server.database.transaction(writes=False) as session:
        looks = session.scalars(select(AuditEntry).where(AuditEntry.action == "looked_at_video")).all()
    assert [(one.purpose, one.detail["start"], one.detail["bytes"]) for one in looks] == [
        ("疑点复核", 0, len(VIDEO)),
        ("疑点复核", 5, 5),
    ]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-", (0, 100)),
        ("bytes=10-19", (10, 20)),
        ("bytes = 10 - 19", (10, 20)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=99-99", (99, 100)),
        ("bytes=0-1,5-6", None),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("seconds=1-2", None),
        ("bytes=a-b", None),
    ],
)
def test_a_range_is_read_as_players_write_it(header: str | None, expected: tuple[int, int] | None) -> None:
    part = part_asked(header, 100)
    assert (None if part is None else (part.start, part.end)) == expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_beyond_the_end_is_said_to_be_so(header: str) -> None:
    with pytest.raises(BeyondTheEnd):
        part_asked(header, 100)


def test_who_may_not_see_it_does_not(video: str, sqlite_house: House) -> None:
    manifest = video.removesuffix("/video")
    for role, district, expected in (
        (Role.REVIEWER, HANGZHOU, 404),
        (Role.ADMIN, None, 403),
        (Role.AUDITOR, None, 403),
    ):
        client = sqlite_house.user(role, district)
        assert client.get(video, params={"purpose": "x"}).status_code == expected
        assert client.get(manifest).status_code == expected
    assert sqlite_house.anybody().get(video, params={"purpose": "x"}).status_code == 401
    reviewer = sqlite_house.user(Role.REVIEWER)
    assert reviewer.get(video).status_code == 422
    assert reviewer.get("/v1/clips/none/video", params={"purpose": "x"}).status_code == 404


def test_the_manifest_can_be_verified_by_whoever_is_shown_it(video: str, sqlite_house: House) -> None:
    import base64

    shown = sqlite_house.user(Role.REVIEWER).get(video.removesuffix("/video")).json()
    signed = SignedManifest(manifest=shown["manifest"], key_id=shown["key_id"], signature=shown["signature"])
    verify(base64.b64decode(shown["public_key"]), signed.manifest.encode(), signed.signature)
    check = sqlite_house.user(Role.REVIEWER).get(f"/v1/checks/{shown['check_id']}").json()
    assert check["clip"]["id"] == shown["id"]
    assert check["clip"]["sha256"] == shown["sha256"]
