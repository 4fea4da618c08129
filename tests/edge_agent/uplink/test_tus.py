"""Uploads that are interrupted, against tuspyserver in a process that is killed and against a scripted server."""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from edge_agent.edge_config import ServerConfig
from edge_agent.uplink import tus
from edge_agent.uplink.pace import TokenBucket
from edge_agent.uplink.server_link import LinkFailure, Refused, ServerFailed, ServerLink, Unreachable
from edge_agent.uplink.tus import ClipGone, TusClient, Upload, UploadPaused
from tests.edge_agent.stand_in import StandInServer
from tests.edge_agent.uplink.builders import IDENTITY, KEY, link_to
from tests.edge_agent.uplink.scripted_tus import ScriptedTus


def signed_text() -> str:
    return f'{{"manifest": "{{}}", "key_id": "{KEY.key_id}", "signature": "c2ln"}}'


def a_clip(folder: Path, check_id: str, size: int) -> Upload:
    path = folder / f"{check_id}.mp4"
    path.write_bytes(random.Random(check_id).randbytes(size))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    metadata = {"filename": path.name, "filetype": "video/mp4", "check_id": check_id, "sha256": digest}
    return Upload(path, size, metadata | {"manifest": signed_text()})


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tus, "CHUNK_BYTES", 65_536)


class Uploading:
    """One clip on its way to the stand-in, with what the outbox would remember."""

    def __init__(self, server: StandInServer, upload: Upload, bytes_per_s: float | None = None) -> None:
        self.server, self.upload, self.bytes_per_s = server, upload, bytes_per_s
        self.url: str | None = None
        self.bytes_sent = 0

    def keep(self, url: str) -> None:
        self.url = url

    async def once(self, may_go_on: Callable[[], bool] = lambda: True) -> None:
        async with link_to(self.server) as link:
            client = TusClient(link, TokenBucket(self.bytes_per_s))
            try:
                await client.upload(self.upload, self.url, self.keep, may_go_on)
            finally:
                self.bytes_sent += client.bytes_sent

    async def until_done(self) -> int:
        failures = 0
        while True:
            try:
                await self.once()
            except LinkFailure:
                failures += 1
                await asyncio.sleep(0.1)
            else:
                return failures

    def arrived(self) -> bytes | None:
        clips = {clip.check_id: clip for clip in self.server.clips()}
        clip = clips.get(self.upload.metadata["check_id"])
        return None if clip is None else clip.path.read_bytes()


def test_a_clip_arrives_with_its_manifest(server: StandInServer, tmp_path: Path) -> None:
    uploading = Uploading(server, a_clip(tmp_path, "U1", 200_000))
    asyncio.run(uploading.once())
    assert uploading.arrived() == uploading.upload.path.read_bytes()
    assert {clip.manifest for clip in server.clips() if clip.check_id == "U1"} == {signed_text()}


def test_a_server_killed_in_the_middle_again_and_again_gets_the_whole_clip(tmp_path: Path) -> None:
    with StandInServer(tmp_path / "server") as server:
        size = 2 * 2**20
        uploading = Uploading(server, a_clip(tmp_path, "U2", size), bytes_per_s=2**20)

        async def upload() -> int:
            task = asyncio.create_task(uploading.until_done())
            for wait_s in (0.5, 0.3):
                await asyncio.sleep(wait_s)
                await asyncio.to_thread(server.restart)
            return await asyncio.wait_for(task, 30)

        failures = asyncio.run(upload())
        assert failures >= 2
        assert uploading.arrived() == uploading.upload.path.read_bytes()
        assert uploading.bytes_sent <= size or server.damaged()


def test_an_upload_is_taken_up_where_it_stood(server: StandInServer, tmp_path: Path) -> None:
    uploading = Uploading(server, a_clip(tmp_path, "U3", 300_000))
    server.fail("close_mid_body", route="/v1/clips", method="PATCH", skip=2)
    with pytest.raises(Unreachable):
        asyncio.run(uploading.once())
    server.fail(None)
    sent_before = uploading.bytes_sent
    asyncio.run(uploading.once())
    assert sent_before == 2 * 65_536
    assert uploading.bytes_sent == 300_000
    assert uploading.arrived() is not None


def test_a_finished_upload_whose_answer_was_lost_is_recognised_without_sending_it_again(
    server: StandInServer, tmp_path: Path
) -> None:
    uploading = Uploading(server, a_clip(tmp_path, "U4", 100_000))
    server.fail("drop_answer", route="/v1/clips", method="PATCH", skip=1)
    with pytest.raises(Unreachable):
        asyncio.run(uploading.once())
    assert uploading.arrived() is not None
    server.fail(None)
    before = server.requests()
    asyncio.run(uploading.once())
    after = server.requests()
    assert uploading.bytes_sent == 65_536
    assert after["PATCH /v1/clips"] == before["PATCH /v1/clips"] + 1
    assert after.get("POST /v1/clips") == before.get("POST /v1/clips")


def test_an_upload_that_the_server_lost_begins_anew(server: StandInServer, tmp_path: Path) -> None:
    uploading = Uploading(server, a_clip(tmp_path, "U5", 200_000))
    server.fail("500", route="/v1/clips", method="PATCH", skip=2)
    with pytest.raises(ServerFailed):
        asyncio.run(uploading.once())
    server.fail(None)
    shutil.rmtree(server.folder / "uploads")
    first_url = uploading.url
    asyncio.run(uploading.once())
    assert uploading.url != first_url
    assert uploading.arrived() == uploading.upload.path.read_bytes()


def test_bytes_that_a_killed_server_wrote_and_forgot_do_not_spoil_the_clip(
    server: StandInServer, tmp_path: Path
) -> None:
    uploading = Uploading(server, a_clip(tmp_path, "U6", 200_000))
    server.fail("500", route="/v1/clips", method="PATCH", skip=2)
    with pytest.raises(ServerFailed):
        asyncio.run(uploading.once())
    server.fail(None)
    assert uploading.url is not None
    with (server.folder / "uploads" / uploading.url.rpartition("/")[2]).open("ab") as stream:
        stream.write(b"x" * 1000)
    asyncio.run(uploading.once())
    assert server.damaged()
    assert uploading.arrived() == uploading.upload.path.read_bytes()


def test_an_upload_stops_between_two_pieces_when_it_is_no_longer_wanted(server: StandInServer, tmp_path: Path) -> None:
    uploading = Uploading(server, a_clip(tmp_path, "U7", 300_000))
    answers = iter((True, True, False))
    with pytest.raises(UploadPaused):
        asyncio.run(uploading.once(lambda: next(answers)))
    assert uploading.bytes_sent == 2 * 65_536
    asyncio.run(uploading.once())
    assert uploading.bytes_sent == 300_000


def test_a_terminated_upload_is_gone_and_terminating_it_again_is_fine(server: StandInServer, tmp_path: Path) -> None:
    uploading = Uploading(server, a_clip(tmp_path, "U8", 300_000))
    with pytest.raises(UploadPaused):
        asyncio.run(uploading.once(lambda: uploading.bytes_sent > 0))

    async def terminate() -> None:
        async with link_to(server) as link:
            client = TusClient(link, TokenBucket(None))
            assert uploading.url is not None
            await client.terminate(uploading.url)
            await client.terminate(uploading.url)

    asyncio.run(terminate())
    assert not (server.folder / "uploads" / (uploading.url or "/").rpartition("/")[2]).exists()


def scripted(server: ScriptedTus, upload: Upload, url: str | None = None) -> list[str]:
    """Upload to the scripted server; the addresses it was told to keep."""
    kept: list[str] = []

    async def send() -> None:
        config = ServerConfig(url="https://review.example/renzheng", timeout_s=5)
        async with ServerLink(config, IDENTITY, httpx.MockTransport(server.handle)) as link:
            await TusClient(link, TokenBucket(None)).upload(upload, url, kept.append)

    asyncio.run(send())
    return kept


@pytest.mark.parametrize(
    ("offered", "used"), [("md5,sha1,sha256", "sha256"), ("sha1", "sha1"), ("md5", None), ("", None)]
)
def test_each_piece_carries_the_best_checksum_that_the_server_offers(
    offered: str, used: str | None, tmp_path: Path
) -> None:
    server = ScriptedTus(algorithms=offered if used else "")
    scripted(server, a_clip(tmp_path, "S1", 150_000))
    given = {request.headers.get("Upload-Checksum", " ").split(" ")[0] for request in server.seen[2:]}
    assert given == {used or ""}
    assert server.methods() == "OPTIONS POST PATCH PATCH PATCH"


@pytest.mark.parametrize("status", [409, 460])
def test_a_piece_that_did_not_arrive_whole_is_sent_again_from_where_the_server_stands(
    status: int, tmp_path: Path
) -> None:
    upload = a_clip(tmp_path, "S2", 150_000)
    server = ScriptedTus(answers=[("PATCH", status)])
    scripted(server, upload)
    assert server.methods() == "OPTIONS POST PATCH HEAD PATCH PATCH PATCH"
    assert server.uploads["/v1/clips/0"] == upload.path.read_bytes()


def test_a_server_that_never_agrees_is_given_a_rest(tmp_path: Path) -> None:
    server = ScriptedTus(answers=[("PATCH", 460)] * 50)
    with pytest.raises(Unreachable, match="keeps disagreeing"):
        scripted(server, a_clip(tmp_path, "S3", 1000))


def test_a_server_that_loses_every_upload_is_given_a_rest(tmp_path: Path) -> None:
    server = ScriptedTus()
    server.answers = [(method, 404) for _ in range(3) for method in ("PATCH", "HEAD")]
    with pytest.raises(Unreachable, match="lost by the server"):
        scripted(server, a_clip(tmp_path, "S4", 1000))
    assert len(server.lengths) == 3


def test_an_upload_of_another_length_is_ended_and_a_new_one_begun(tmp_path: Path) -> None:
    server = ScriptedTus()
    scripted(server, a_clip(tmp_path, "S5", 1000))
    other = a_clip(tmp_path, "S6", 2000)
    kept = scripted(server, other, "https://review.example/v1/clips/0")
    assert kept == ["https://review.example/v1/clips/1"]
    assert list(server.uploads) == ["/v1/clips/1"]


@pytest.mark.parametrize(
    "location", ["http://evil.example/v1/clips/{number}", "//evil.example/v1/clips/{number}", "/v1/clips/{number}"]
)
def test_the_token_goes_to_the_server_that_was_set_and_nowhere_else(location: str, tmp_path: Path) -> None:
    server = ScriptedTus(location=location)
    scripted(server, a_clip(tmp_path, "S7", 1000))
    assert {(request.url.scheme, request.url.host) for request in server.seen} == {("https", "review.example")}
    assert server.uploads["/v1/clips/0"]


def test_what_is_no_tus_server_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="extension creation"):
        scripted(ScriptedTus(answers=[("OPTIONS", 204)]), a_clip(tmp_path, "S8", 1000))


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_bytes(b"short")])
def test_a_file_that_went_or_shrank_is_told_apart_from_a_poor_line(
    change: Callable[[Path], object], tmp_path: Path
) -> None:
    upload = a_clip(tmp_path, "S9", 1000)
    server = ScriptedTus()
    change(upload.path)
    with pytest.raises(ClipGone):
        scripted(server, upload)
