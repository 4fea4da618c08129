"""A clip is taken when its bytes are those that its device signed, and from nobody else."""

from __future__ import annotations

import shutil
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from renzheng.crypto import SigningKey
from renzheng.errors import StorageFull
from server.access import BoxSubject
from server.audit_log.service import SYSTEM
from server.clips import repository
from server.clips import uploads as module
from server.clips.tus import upload_folder
from server.clips.uploads import KEEP, remove_stale
from server.errors import Unavailable
from server.people.erasure import erase_person
from server.people.service import person_of
from server.permissions import Role
from server.tables import AuditEntry, Check, DeviceKey
from tests.server.clips.uploading import BYTES, VIDEO, Uploader, clips, manifest, uploads
from tests.server.conftest import OUTSIDE, PHARMACY, YUYAO, House
from tests.server.people.making import make_person

HALF = len(VIDEO) // 2
OTHER_KEY = SigningKey(b"o" * 32)


@pytest.fixture
def box(sqlite_house: House) -> Uploader:
    return Uploader(sqlite_house)


def files(house: House) -> list[str]:
    folder = upload_folder(house.server).folder
    return sorted(path.suffix for path in folder.iterdir()) if folder.exists() else []


def test_a_clip_that_is_what_its_device_signed_is_kept(house: House) -> None:
    box = Uploader(house)
    box.upload()
    (clip,) = clips(house.server)
    assert house.server.store.get(clip.store_key) == VIDEO
    assert (clip.size_bytes, clip.key_id) == (len(VIDEO), box.key.key_id)
    assert (clip.start, clip.end) == (manifest("").start, manifest("").end)
    with house.server.database.transaction(writes=False) as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.object_kind == "clip")).one()
    assert (entry.action, entry.actor_id, entry.object_id) == ("delivered", box.device_id, clip.id)
    assert ".done" not in files(house)
    assert "" not in files(house)


def test_an_upload_is_taken_up_where_it_stood(house: House) -> None:
    box = Uploader(house)
    url = box.begun()
    assert box.offset(url) == 0
    assert box.send(url, 0, VIDEO[:HALF]).headers["Upload-Offset"] == str(HALF)
    assert box.offset(url) == HALF
    assert clips(house.server) == []
    assert box.send(url, HALF, VIDEO[HALF:]).status_code == 204
    assert len(clips(house.server)) == 1


def test_the_last_request_is_answered_again(house: House) -> None:
    box = Uploader(house)
    url = box.upload()
    for _ in range(2):
        answer = box.send(url, len(VIDEO), b"")
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(len(VIDEO)))
    assert box.offset(url) == len(VIDEO)
    assert len(clips(house.server)) == 1


def test_the_same_clip_again_is_taken_and_kept_once(house: House) -> None:
    box = Uploader(house)
    box.upload()
    box.upload()
    assert len(clips(house.server)) == 1
    assert len(list(house.server.store.keys())) == 1


def test_another_clip_of_the_same_check_is_refused(box: Uploader, sqlite_house: House) -> None:
    box.upload()
    other = b"another video"
    answer = box.begin(box.metadata(other), len(other))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (409, "Upload-Metadata.sha256")


def test_bytes_that_differ_from_the_manifest_are_thrown_away_and_the_box_begins_anew(house: House) -> None:
    box = Uploader(house)
    url = box.begun()
    assert box.send(url, 0, VIDEO[:-1] + b"?").status_code == 460
    assert box.offset(url) is None
    assert (clips(house.server), list(house.server.store.keys())) == ([], [])
    box.upload()
    assert len(clips(house.server)) == 1


def test_a_clip_comes_after_its_check(box: Uploader) -> None:
    answer = box.begin(box.metadata(check_id="S2", facts={"clip_id": "S2"}))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (409, "Upload-Metadata.check_id")


def test_a_clip_signed_with_a_former_key_or_before_the_box_was_enrolled_is_taken(
    box: Uploader, sqlite_house: House
) -> None:
    now = datetime.now(UTC)
    with sqlite_house.server.database.transaction() as session:
        session.add(
            DeviceKey(
                key_id=OTHER_KEY.key_id, device_id=box.device_id, public_key=OTHER_KEY.public, since=now, until=now
            )
        )
    told = box.metadata(key=OTHER_KEY, facts={"device_id": f"local-{OTHER_KEY.key_id[:16]}"})
    url = box.begin(told).headers["Location"]
    assert box.send(url, 0, VIDEO).status_code == 204
    assert [clip.key_id for clip in clips(sqlite_house.server)] == [OTHER_KEY.key_id]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"filename": ""}, "Upload-Metadata.filename"),
        ({"check_id": "x" * 129}, "Upload-Metadata.check_id"),
        ({"check_id": "S1\0"}, "Upload-Metadata.check_id"),
        ({"sha256": "0" * 64}, "Upload-Metadata.manifest"),
        ({"manifest": "{}"}, "Upload-Metadata.manifest"),
        ({"manifest": "["}, "Upload-Metadata.manifest"),
        ({"facts": {"clip_id": "S2"}}, "Upload-Metadata.manifest"),
        ({"facts": {"device_id": "another box"}}, "Upload-Metadata.manifest"),
        ({"facts": {"device_id": f"local-{OTHER_KEY.key_id[:16]}"}}, "Upload-Metadata.manifest"),
        ({"facts": {"fixmedins_code": OUTSIDE}}, "Upload-Metadata.manifest"),
        ({"facts": {"size_bytes": 1}}, "Upload-Metadata.manifest"),
        ({"key": OTHER_KEY}, "Upload-Metadata.manifest.key_id"),
    ],
)
def test_a_manifest_that_does_not_fit_lets_no_upload_begin(change: dict[str, Any], field: str, box: Uploader) -> None:
    answer = box.begin(box.metadata(**change))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert uploads(box.house.server) == []


def test_a_signature_of_something_else_lets_no_upload_begin(box: Uploader) -> None:
    told = box.metadata()
    other = box.metadata(facts={"camera_id": "another"})
    told["manifest"] = told["manifest"].replace("counter", "another")
    assert told["manifest"] != other["manifest"]
    answer = box.begin(told)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Upload-Metadata.manifest.signature")


@pytest.mark.parametrize(
    ("size", "headers", "status"),
    [
        (0, {}, 422),
        (2**40, {}, 413),
        (len(VIDEO), {"Upload-Length": "many"}, 400),
        (len(VIDEO), {"Upload-Length": "-1"}, 400),
        (len(VIDEO), {"Upload-Length": "1" * 30}, 400),
        (len(VIDEO), {"Upload-Defer-Length": "1"}, 400),
        (len(VIDEO), {"Upload-Concat": "partial"}, 400),
        (len(VIDEO), {"Upload-Concat": "final;/v1/clips/../../etc/passwd"}, 400),
        (len(VIDEO), {"Tus-Resumable": "0.2.2"}, 412),
    ],
)
def test_an_upload_that_is_not_offered_does_not_begin(
    size: int, headers: dict[str, str], status: int, box: Uploader
) -> None:
    assert box.begin(size=size, **headers).status_code == status
    assert uploads(box.house.server) == []


def test_no_bytes_come_with_the_creation(box: Uploader) -> None:
    answer = box.client.post("/v1/clips/", content=b"bytes", headers={"Upload-Length": "5"})
    assert answer.status_code == 400
    assert files(box.house) == []


@pytest.mark.parametrize(
    ("offset", "data", "headers", "status"),
    [
        (1, VIDEO, {}, 409),
        (0, VIDEO + b"more", {}, 400),
        (0, VIDEO, {"Content-Type": "video/mp4"}, 415),
        (0, VIDEO, {"Upload-Offset": "none"}, 400),
        (0, VIDEO, {"Upload-Offset": "-1"}, 400),
        (0, VIDEO, {"Upload-Length": "3"}, 400),
        (0, VIDEO, {"Tus-Resumable": "2"}, 412),
    ],
)
def test_bytes_that_do_not_fit_change_nothing(
    offset: int, data: bytes, headers: dict[str, str], status: int, box: Uploader
) -> None:
    url = box.begun()
    assert box.send(url, offset, data, **headers).status_code == status
    assert box.offset(url) == 0
    assert box.send(url, 0, VIDEO).status_code == 204
    assert len(clips(box.house.server)) == 1


def test_an_upload_belongs_to_its_box(house: House) -> None:
    box, other = Uploader(house), Uploader(house, SigningKey(b"p" * 32))
    url = box.begun()
    box.send(url, 0, VIDEO[:HALF])
    assert other.offset(url) is None
    assert other.send(url, HALF, VIDEO[HALF:]).status_code == 404
    assert other.client.delete(url).status_code == 404
    assert box.offset(url) == HALF


def test_without_a_boxs_token_no_byte_is_written(house: House) -> None:
    box = Uploader(house)
    url = box.begun()
    for client in (house.anybody(), house.user(Role.ADMIN)):
        headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": BYTES}
        assert client.patch(url, content=VIDEO, headers=headers).status_code == 401
        assert client.head(url, headers=headers).status_code == 401
        assert client.delete(url, headers=headers).status_code == 401
        assert client.post("/v1/clips/", headers=headers).status_code == 401
        assert client.options("/v1/clips/").status_code == 401
    assert box.offset(url) == 0


@pytest.mark.parametrize("name", ["0" * 32, "..%2f..%2fetc%2fpasswd", "x.info", "%00"])
def test_an_upload_that_nobody_began_is_not_found(name: str, box: Uploader) -> None:
    assert box.client.head(f"/v1/clips/{name}").status_code == 404
    assert box.send(f"/v1/clips/{name}", 0, VIDEO).status_code == 404


def test_an_upload_can_be_ended(box: Uploader) -> None:
    url = box.begun()
    box.send(url, 0, VIDEO[:HALF])
    assert box.client.delete(url).status_code == 204
    assert box.offset(url) is None
    assert files(box.house) == []


def test_what_is_offered_is_said(box: Uploader) -> None:
    answer = box.client.options("/v1/clips/")
    assert (answer.status_code, answer.headers["Tus-Version"]) == (204, "1.0.0")
    assert "creation" in answer.headers["Tus-Extension"].split(",")
    assert "concatenation" not in answer.headers["Tus-Extension"]
    assert answer.headers["Tus-Max-Size"] == str(512 * 2**20)


def test_a_clip_that_is_begun_anew_takes_the_place_of_its_former_upload(box: Uploader) -> None:
    first = box.begun()
    box.send(first, 0, VIDEO[:HALF])
    box.begun()
    assert box.offset(first) is None
    assert len(uploads(box.house.server)) == 1


def test_a_box_cannot_begin_any_number_of_uploads(box: Uploader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RUNNING_MAX", 0)
    answer = box.begin()
    assert (answer.status_code, "Retry-After" in answer.headers) == (429, True)


def test_bytes_that_were_written_and_never_told_of_are_cut_off(box: Uploader) -> None:
    """As after a server that was killed in the middle of a request."""
    url = box.begun()
    box.send(url, 0, VIDEO[:HALF])
    with upload_folder(box.house.server).path(url.rpartition("/")[2]).open("ab") as stream:
        stream.write(b"half a request")
    assert box.offset(url) == HALF
    assert box.send(url, HALF, VIDEO[HALF:]).status_code == 204
    assert len(clips(box.house.server)) == 1


def test_a_disk_without_room_takes_no_upload(box: Uploader, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(1, 1, 0))
    answer = box.begin()
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)


def test_a_disk_that_fills_up_meanwhile_loses_nothing_that_was_told(
    box: Uploader, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = box.begun()
    box.send(url, 0, VIDEO[:HALF])
    real, name = Path.open, url.rpartition("/")[2]

    def no_room(path: Path, *given: Any, **more: Any) -> Any:
        if path.name == name:
            raise OSError(28, "No space left on device")
        return real(path, *given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", no_room)
        answer = box.send(url, HALF, VIDEO[HALF:])
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert box.offset(url) == HALF
    assert box.send(url, HALF, VIDEO[HALF:]).status_code == 204
    assert len(clips(box.house.server)) == 1


@pytest.mark.parametrize("error", [StorageFull("no room"), Unavailable("slow")])
def test_a_store_that_fails_at_the_end_is_asked_again(
    error: Exception, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Uploader(house)

    def fail(key: str, path: Path) -> None:
        path.unlink()  # a store may take the file away and fail after it
        raise error

    url = box.begun()
    with monkeypatch.context() as patch:
        patch.setattr(house.server.store, "put_file", fail)
        assert box.send(url, 0, VIDEO).status_code == 503
    assert box.offset(url) == len(VIDEO)
    assert box.send(url, len(VIDEO), b"").status_code == 204
    (clip,) = clips(house.server)
    assert house.server.store.get(clip.store_key) == VIDEO


def test_a_database_that_fails_at_the_end_leaves_no_clip_behind_and_is_asked_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Uploader(house)

    def fail(*_given: object) -> None:
        raise OperationalError("INSERT", {}, Exception("gone"))

    url = box.begun()
    with monkeypatch.context() as patch:
        patch.setattr(repository, "add_clip", fail)
        assert box.send(url, 0, VIDEO).status_code == 503
    assert list(house.server.store.keys()) == []
    assert box.send(url, len(VIDEO), b"").status_code == 204
    (clip,) = clips(house.server)
    assert house.server.store.get(clip.store_key) == VIDEO


def test_a_commit_that_is_still_under_way_when_the_line_broke_loses_no_clip(house: House) -> None:
    """The database goes on with a commit whose client is gone: meanwhile nobody sees the clip, and its row is held."""
    box = Uploader(house)
    url, server = box.begun(), house.server
    (upload,) = uploads(server)
    server.store.put(module.store_key_of(upload), VIDEO)
    told = module.announced(box.metadata())
    asker = BoxSubject(box.device_id, PHARMACY, PHARMACY, YUYAO)
    with ThreadPoolExecutor(1) as pool:
        with server.database.transaction() as session:
            assert module._add(session, asker, upload.id, told, module.store_key_of(upload))
            forgetting = pool.submit(module._forget_unnamed, server, [upload])
            time.sleep(0.5)
        forgetting.result(20)
    (clip,) = clips(server)
    assert server.store.get(clip.store_key) == VIDEO
    assert box.client.head(url).status_code == 200


def test_a_clip_that_comes_after_its_person_was_erased_is_thrown_away_here_and_on_the_box(house: House) -> None:
    person_id, box = make_person(house.server, "p1"), Uploader(house)
    url = box.begun()
    with house.server.database.transaction() as session:
        session.execute(update(Check).values(psn_no="p1"))
        erase_person(session, house.server, person_of(session, person_id, ""), "申请 1", SYSTEM)
    assert box.send(url, 0, VIDEO).status_code == 204
    assert box.send(url, len(VIDEO), b"").status_code == 204
    assert (clips(house.server), list(house.server.store.keys())) == ([], [])


def test_what_a_killed_server_left_of_an_upload_goes_when_it_is_begun_anew(box: Uploader) -> None:
    box.upload()
    box.begun()
    store = box.house.server.store
    store.put(module.store_key_of(uploads(box.house.server)[-1]), b"left by a server that was killed")
    box.begun()
    (clip,) = clips(box.house.server)
    assert list(store.keys()) == [clip.store_key]


def test_uploads_that_nobody_goes_on_with_are_deleted(house: House) -> None:
    box, now = Uploader(house), datetime.now(UTC)
    folder = upload_folder(house.server)
    url = box.begun()
    box.send(url, 0, VIDEO[:HALF])
    (running,) = uploads(house.server)
    house.server.store.put(module.store_key_of(running), b"left by a server that was killed")
    assert remove_stale(house.server, folder, now) == 0
    assert box.offset(url) == HALF
    assert remove_stale(house.server, folder, now + KEEP + timedelta(minutes=1)) == 1
    assert (box.offset(url), uploads(house.server), files(house)) == (None, [], [])
    assert list(house.server.store.keys()) == []


def test_a_finished_upload_that_is_deleted_leaves_its_clip(house: House) -> None:
    box = Uploader(house)
    box.upload()
    later = datetime.now(UTC) + KEEP + timedelta(minutes=1)
    assert remove_stale(house.server, upload_folder(house.server), later) == 1
    (clip,) = clips(house.server)
    assert house.server.store.get(clip.store_key) == VIDEO


def test_files_of_no_upload_are_deleted_when_they_are_old(sqlite_house: House) -> None:
    folder = upload_folder(sqlite_house.server)
    folder.folder.mkdir()
    (folder.folder / ("a" * 32)).write_bytes(b"bytes")
    remove_stale(sqlite_house.server, folder, datetime.now(UTC))
    assert files(sqlite_house) == [""]
    remove_stale(sqlite_house.server, folder, datetime.now(UTC) + KEEP + timedelta(minutes=1))
    assert files(sqlite_house) == []
