"""Every store keeps the same promises: a folder, and an S3-compatible store in this machine."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from copy import copy
from pathlib import Path

import httpx
import pytest
from moto.server import ThreadedMotoServer

from renzheng.errors import BadInput, StorageFull
from server.errors import Unavailable
from server.settings import ServerSettings
from server.store import NoSuchObject, ObjectStore, open_store
from server.store.local import LocalStore
from server.store.s3 import PART_BYTES, S3Store

LARGE = bytes(range(256)) * (PART_BYTES // 256) + b"the second part"


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    service = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    service.start()
    host, port = service.get_host_and_port()
    yield f"http://{host}:{port}"
    service.stop()


@pytest.fixture(scope="module")
def s3_bucket(s3_url: str, tmp_path_factory: pytest.TempPathFactory) -> S3Store:
    """A store as the settings name it; making a client takes most of a second."""
    httpx.put(f"{s3_url}/bucket-of-tests", trust_env=False).raise_for_status()
    settings = ServerSettings(
        data_dir=tmp_path_factory.mktemp("data"),
        key_ring="-",
        store_url="s3://bucket-of-tests/renzheng/one",
        s3_endpoint_url=s3_url,
        s3_access_key="k",
        s3_secret_key="s",
    )
    store = open_store(settings)
    assert isinstance(store, S3Store)
    assert store._prefix == "renzheng/one/"
    return store


@pytest.fixture
def s3_store(s3_bucket: S3Store) -> S3Store:
    """The same bucket under a prefix of its own."""
    store = copy(s3_bucket)
    store._prefix = f"{os.urandom(6).hex()}/"
    return store


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return LocalStore(tmp_path / "store")
    found: ObjectStore = request.getfixturevalue("s3_store")
    return found


def test_what_was_put_is_there_and_a_second_put_replaces_it(store: ObjectStore) -> None:
    store.put("pieces/20260501/a", b"first")
    store.put("pieces/20260501/a", b"the second")
    assert store.get("pieces/20260501/a") == b"the second"
    assert store.size("pieces/20260501/a") == 10


def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    store.put("empty", b"")
    assert (store.get("empty"), store.size("empty")) == (b"", 0)


@pytest.mark.parametrize("data", [b"a small clip", LARGE], ids=["small", "in parts"])
def test_a_file_arrives_whole(store: ObjectStore, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(data)
    store.put_file("clips/a.mp4", path)
    assert store.get("clips/a.mp4") == data


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [(0, None, b"0123456789"), (3, None, b"3456789"), (3, 4, b"3456"), (0, 0, b""), (8, 9, b"89"), (10, None, b"")],
)
def test_a_part_can_be_read(store: ObjectStore, start: int, length: int | None, expected: bytes) -> None:
    store.put("digits", b"0123456789")
    with store.open("digits", start, length) as stream:
        assert stream.read() == expected


def test_a_stream_need_not_be_read_to_its_end(store: ObjectStore) -> None:
    store.put("long", b"x" * 1_000_000)
    with store.open("long", 5) as stream:
        assert stream.read(3) == b"xxx"
    assert store.size("long") == 1_000_000


def test_what_is_not_there_is_said(store: ObjectStore) -> None:
    for ask in (store.get, store.open, store.size):
        with pytest.raises(NoSuchObject):
            ask("nothing/here")
    store.delete("nothing/here")


def test_deleted_is_gone(store: ObjectStore) -> None:
    store.put("a/b", b"1")
    store.delete("a/b")
    with pytest.raises(NoSuchObject):
        store.get("a/b")
    assert list(store.keys()) == []


def test_keys_are_listed_by_what_they_begin_with(store: ObjectStore) -> None:
    for key in ("pieces/20260501/a", "pieces/20260501/b", "pieces/20260502/a", "clips/a"):
        store.put(key, b"1")
    assert sorted(store.keys("pieces/20260501/")) == ["pieces/20260501/a", "pieces/20260501/b"]
    assert sorted(store.keys("pieces/2026050")) == ["pieces/20260501/a", "pieces/20260501/b", "pieces/20260502/a"]
    assert list(store.keys("photos/")) == []
    assert len(list(store.keys())) == 4


def test_a_store_that_can_be_written_passes_its_check_and_is_as_it_was(store: ObjectStore) -> None:
    store.check()
    assert list(store.keys()) == []


def test_a_bucket_that_is_not_there_is_a_store_that_does_not_answer(s3_url: str) -> None:
    store = S3Store("no-such-bucket", endpoint_url=s3_url, access_key="k", secret_key="s")
    with pytest.raises(Unavailable, match="NoSuchBucket"):
        store.put("a", b"1")
    with pytest.raises(Unavailable):
        store.check()


def test_a_store_that_hangs_or_is_not_there_does_not_hold_anybody_up(tmp_path: Path) -> None:
    with closing(socket.socket()) as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        store = S3Store("b", endpoint_url=url, access_key="k", secret_key="s", read_timeout_s=0.2, tries=1)
        with pytest.raises(Unavailable, match="ReadTimeoutError"):
            store.get("a")
    path = tmp_path / "a"
    path.write_bytes(b"1")
    for write in (lambda: store.put("a", b"1"), lambda: store.put_file("a", path), lambda: list(store.keys())):
        with pytest.raises(Unavailable):
            write()


def test_a_full_s3_store_is_full_and_not_broken(s3_store: S3Store) -> None:
    s3_store._client = _Full()
    with pytest.raises(StorageFull):
        s3_store.put("a", b"1")


class _Full:
    def put_object(self, **_given: object) -> None:
        from botocore.exceptions import ClientError

        raise ClientError({"Error": {"Code": "XMinioStorageFull"}}, "PutObject")


@pytest.mark.parametrize(
    ("number", "expected"), [(errno.ENOSPC, StorageFull), (errno.EIO, Unavailable), (errno.EROFS, Unavailable)]
)
def test_a_disk_that_fails_leaves_nothing_half_written(
    number: int, expected: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalStore(tmp_path / "store")
    store.put("a", b"former")

    def fail(path: Path, _data: bytes) -> None:
        path.touch()
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(expected):
        store.put("a", b"new")
    assert store.get("a") == b"former"
    assert list(store.keys()) == ["a"]


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../a", "a/../b", "a//b", "a/", ".hidden", "a b"])
def test_a_key_that_leads_out_of_the_folder_is_none(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="no key"):
        LocalStore(tmp_path / "store").put(key, b"1")


@pytest.mark.parametrize("url", ["bucket", "http://host/bucket", "s3://", "s3://a", "s3://bucket/a b"])
def test_an_address_that_is_no_stores_is_refused_at_the_start(tmp_path: Path, url: str) -> None:
    with pytest.raises(BadInput, match="store_url"):
        open_store(ServerSettings(data_dir=tmp_path, key_ring="-", store_url=url))
