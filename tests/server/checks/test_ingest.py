"""What boxes deliver is kept once, whole or not at all, and every refusal says why."""

from __future__ import annotations

import gzip
import json
import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from renzheng.contracts import AgentReport, BedVerdict, CheckDelivery, Verdict
from renzheng.errors import StorageFull
from server.access import BoxSubject
from server.checks import batch as batch_module
from server.checks import ingest, pieces, repository
from server.errors import Unavailable
from server.tables import AuditEntry, BoxReport, Check, CheckPiece, Device
from tests.edge_agent.builders import NOON, a_sample
from tests.server.checks.making import (
    FACE,
    STILL,
    all_checks,
    bed,
    changed,
    delivery,
    flagged,
    piece,
    post,
    post_raw,
    swipe,
    the_check,
    the_pieces,
)
from tests.server.conftest import OUTSIDE, PHARMACY, WARD, YUYAO, House
from tests.server.sites.box_reports import report


def accepted(*names: str) -> dict[str, Any]:
    return {"accepted": list(names), "refused": []}


def a_report(device_id: str, name: str) -> AgentReport:
    return report(BoxSubject(device_id, PHARMACY, PHARMACY, YUYAO), report_id=name)


def why(answer: Any) -> str:
    (refused,) = answer.json()["refused"]
    assert answer.json()["accepted"] == []
    return str(refused["why"])


def test_a_check_is_kept_as_it_was_sent_and_found_by_what_it_says(house: House) -> None:
    box, given = house.box(), flagged(camera_id="counter", score=0.1)
    before = datetime.now(UTC)
    answer = post(box, given)
    assert (answer.status_code, answer.json()) == (200, accepted("S1"))
    check = the_check(house.server)
    assert check.body == given.check.model_dump(mode="json")
    assert (check.device_id, check.institution_id, check.district_code) == (
        box.headers["X-Test-Device"], PHARMACY, YUYAO,
    )  # fmt: skip
    assert (check.kind, check.setl_id, check.terminal_id, check.bed_id) == ("swipe", "S1", "T01", None)
    assert (check.happened_at, check.finished_at, check.clip_due) == (NOON, NOON, True)
    assert (check.verdict, check.camera_id, check.score) == ("mismatch", "counter", 0.1)
    assert (check.decided, check.decided_at) == (None, None)
    assert check.received_at >= before


def test_a_bed_is_kept_with_its_round(house: House) -> None:
    assert post(house.box(WARD), delivery(bed())).json() == accepted("bed-1")
    check = the_check(house.server, "bed-1")
    assert (check.kind, check.bed_id, check.setl_id, check.happened_at) == ("bed", "12", None, NOON)
    assert check.verdict == BedVerdict.EMPTY


def test_pictures_are_kept_sealed(house: House) -> None:
    assert post(house.box(), flagged()).json() == accepted("S1")
    found = the_pieces(house.server)
    assert {path: one.kind for path, one in found.items()} == {"S1/0.jpg": "sample", "S1/still.jpg": "still"}
    for path, plain in (("S1/0.jpg", FACE), ("S1/still.jpg", STILL)):
        assert pieces.read(house.server, found[path]) == plain
        assert plain not in house.server.store.get(found[path].store_key)
        assert found[path].size_bytes == len(plain)


def test_pictures_cannot_be_exchanged_in_the_store(sqlite_house: House) -> None:
    server = sqlite_house.server
    post(sqlite_house.box(), flagged())
    face, still = the_pieces(server)["S1/0.jpg"], the_pieces(server)["S1/still.jpg"]
    server.store.put(face.store_key, server.store.get(still.store_key))
    with pytest.raises(pieces.PieceDamaged):
        pieces.read(server, face)


def test_the_same_batch_again_is_accepted_again_and_changes_nothing(house: House) -> None:
    box, given = house.box(), (flagged("S1"), delivery(swipe("S2")))
    first = post(box, *given)
    keys = sorted(house.server.store.keys())
    again = post(box, *given)
    assert first.json() == again.json() == accepted("S1", "S2")
    assert all_checks(house.server) == ["S1", "S2"]
    assert sorted(house.server.store.keys()) == keys


def test_a_check_is_accepted_again_also_when_its_pictures_may_not_leave_the_box_any_more(sqlite_house: House) -> None:
    box, given = sqlite_house.box(), flagged()
    post(box, given)
    assert post(box, given.model_copy(update={"pieces": ()})).json() == accepted("S1")
    assert len(the_pieces(sqlite_house.server)) == 2


def test_a_newer_version_of_a_box_may_write_the_same_check_in_another_order(house: House) -> None:
    box = house.box()
    post(box, delivery(swipe()))
    told = json.loads(changed(delivery(swipe()), "checks.0.clip_due", False, box))
    told["checks"][0]["check"] = dict(reversed(told["checks"][0]["check"].items()))
    assert post_raw(box, json.dumps(told).encode()).json() == accepted("S1")


def test_a_name_that_sounds_like_a_number_without_end_is_a_name(house: House) -> None:
    assert post(house.box(), delivery(swipe(terminal_id="NaN Infinity 柜台"))).json() == accepted("S1")
    assert the_check(house.server).terminal_id == "NaN Infinity 柜台"


def test_another_check_under_the_same_id_is_refused_and_the_first_stays(house: House) -> None:
    box = house.box()
    post(box, delivery(swipe(score=0.5)))
    assert why(post(box, delivery(swipe(score=0.6)))) == ingest.ANOTHER
    assert the_check(house.server).score == 0.5


def test_twice_in_one_batch_is_once(house: House) -> None:
    one, other = delivery(swipe(score=0.5)), delivery(swipe(score=0.6))
    answer = post(house.box(), one, one, other)
    assert answer.json() == accepted("S1")
    assert all_checks(house.server) == ["S1"]


def test_two_boxes_may_use_the_same_id(house: House) -> None:
    for box in (house.box(), house.box()):
        assert post(box, delivery(swipe())).json() == accepted("S1")
    assert all_checks(house.server) == ["S1", "S1"]


def test_one_unfit_check_does_not_keep_the_others_out(house: House) -> None:
    answer = post(house.box(), delivery(swipe("S1")), delivery(swipe("S2", fixmedins_code=OUTSIDE)))
    assert answer.json()["accepted"] == ["S1"]
    assert [one["delivery_id"] for one in answer.json()["refused"]] == ["S2"]


def test_deliveries_of_the_same_check_at_the_same_time_make_one(house: House) -> None:
    box, given, answers = house.box(), flagged(), []
    threads = [threading.Thread(target=lambda: answers.append(post(box, given))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.json() for answer in answers] == [accepted("S1")] * 4
    assert all_checks(house.server) == ["S1"]
    assert len(list(house.server.store.keys())) == len(the_pieces(house.server)) == 2


def test_one_entry_of_the_audit_log_tells_of_a_batch_and_none_of_a_repetition(sqlite_house: House) -> None:
    box = sqlite_house.box()
    for _ in range(2):
        post(box, delivery(swipe("S1")), delivery(swipe("S2")))
    with sqlite_house.server.database.transaction(writes=False) as session:
        (entry,) = session.scalars(select(AuditEntry))
    assert (entry.action, entry.object_id, entry.detail) == (
        "delivered", box.headers["X-Test-Device"], {"checks": 2, "reports": 0},
    )  # fmt: skip


def test_a_box_that_delivers_is_heard_of(sqlite_house: House) -> None:
    box, before = sqlite_house.box(), datetime.now(UTC)
    post(box, delivery(swipe()))
    with sqlite_house.server.database.transaction(writes=False) as session:
        seen = session.get_one(Device, box.headers["X-Test-Device"]).last_seen_at
    assert seen is not None
    assert seen >= before


def test_reports_are_taken_beside_checks_and_a_refused_one_leaves_nothing(house: House) -> None:
    box = house.box()
    own, others = a_report(box.headers["X-Test-Device"], "R1"), a_report("somebody-else", "R2")
    answer = post(box, delivery(swipe()), reports=(own, others)).json()
    assert sorted(answer["accepted"]) == ["R1", "S1"]
    assert [(one["delivery_id"], one["why"].partition(":")[0]) for one in answer["refused"]] == [("R2", "device_id")]
    with house.server.database.transaction(writes=False) as session:
        assert list(session.scalars(select(BoxReport.report_id))) == ["R1"]


@pytest.mark.parametrize(
    ("check", "field"),
    [
        (swipe(fixmedins_code=OUTSIDE), "check.fixmedins_code"),
        (swipe(terminal_id="t" * 65), "check.terminal_id"),
        (swipe(psn_no="p" * 65), "check.psn_no"),
        (swipe("s" * 65), "check.swipe_id"),
        (swipe(camera_id="c" * 65), "check.camera_id"),
        (swipe(terminal_id="t\0"), "check"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_check_that_can_never_be_kept_is_refused_with_its_field(check: Any, field: str, house: House) -> None:
    said = why(post(house.box(), delivery(check)))
    assert said.startswith(f"{field}: expected ")
    assert all_checks(house.server) == []


@pytest.mark.parametrize("number", [b"1e400", b"-1e400"])
def test_numbers_without_end_are_refused(number: bytes, house: House) -> None:
    box = house.box()
    text = changed(delivery(swipe()), "checks.0.check.clock_offset_s", "HERE", box).replace(b'"HERE"', number)
    assert why(post_raw(box, text)).startswith("check: expected finite numbers")


def test_a_delivery_bears_the_id_of_its_check(sqlite_house: House) -> None:
    given = delivery(swipe()).model_copy(update={"delivery_id": "another"})
    assert why(post(sqlite_house.box(), given)).startswith("delivery_id: expected")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (delivery(swipe(), piece("S1/unnamed.jpg", FACE)), "pieces.0.path: expected a file that the check names, once"),
        (
            flagged().model_copy(update={"pieces": (piece("S1/0.jpg", FACE),) * 2}),
            "pieces.1.path: expected a file that the check names, once",
        ),
        (
            flagged().model_copy(update={"pieces": (piece("S1/0.jpg", FACE).model_copy(update={"sha256": "0" * 64}),)}),
            "pieces.0.sha256: expected the digest of the data",
        ),
        (
            flagged().model_copy(update={"pieces": (piece("S1/0.jpg", FACE).model_copy(update={"data": "?"}),)}),
            "pieces.0.data: expected base64",
        ),
        (
            delivery(swipe(still="s" * 201), piece("s" * 201, STILL)),
            "pieces.0.path: expected at most 200 characters",
        ),
    ],
)
def test_files_that_are_not_the_checks_refuse_it(given: CheckDelivery, expected: str, sqlite_house: House) -> None:
    assert why(post(sqlite_house.box(), given)) == expected
    assert list(sqlite_house.server.store.keys()) == []


def test_a_batch_names_the_box_that_sends_it(sqlite_house: House) -> None:
    other = sqlite_house.box().headers["X-Test-Device"]
    answer = post(sqlite_house.box(), delivery(swipe()), device_id=other)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "device_id")
    assert all_checks(sqlite_house.server) == []


def test_only_boxes_deliver(sqlite_house: House) -> None:
    from server.permissions import Role

    box = sqlite_house.box()
    for client in (sqlite_house.anybody(), sqlite_house.user(Role.ADMIN), sqlite_house.user(Role.REVIEWER)):
        client.headers["X-Test-Device"] = box.headers["X-Test-Device"]
        assert post(client, delivery(swipe())).status_code == 401


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("checks.0.check.psn_no", 7, "body.checks.0.check.swipe.psn_no"),
        ("checks.0.check.swiped_at", "yesterday", "body.checks.0.check.swipe.swiped_at"),
        ("checks.0.check.swiped_at", "0001-01-01T00:00:00+08:00", "body.checks.0.check.swipe.swiped_at"),
        ("checks.0.check.kind", "cat", "body.checks.0.check"),
        ("checks.0.check.secret", "x", "body.checks.0.check.swipe.secret"),
        ("checks.0.delivery_id", "", "body.checks.0.delivery_id"),
        ("checks.0.delivery_id", "x" * 129, "body.checks.0.delivery_id"),
        ("contract_version", 2, "body.contract_version"),
        ("checks", {}, "body.checks"),
    ],
)
def test_a_body_that_is_no_batch_is_refused_with_the_field(
    path: str, value: Any, field: str, sqlite_house: House
) -> None:
    box = sqlite_house.box()
    answer = post_raw(box, changed(delivery(swipe()), path, value, box))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert str(value) not in answer.text or len(str(value)) < 5


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"device_id": NaN}',
        b"{\"device_id\": \"\\ud800\"}",
        b"[" * 100_000,
        b'{"device_id": 1' + b"0" * 5000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused(text: bytes, sqlite_house: House) -> None:
    assert post_raw(sqlite_house.box(), text).status_code == 422


def test_a_body_is_packed_with_gzip_or_not_at_all(sqlite_house: House) -> None:
    box = sqlite_house.box()
    text = changed(delivery(swipe()), "checks.0.clip_due", False, box)
    assert post_raw(box, text, packed=False).json() == accepted("S1")
    assert post_raw(box, text, **{"Content-Encoding": "br"}).status_code == 415
    assert post_raw(box, text, **{"Content-Type": "text/plain"}).status_code == 415
    for damaged in (gzip.compress(text)[:-9], b"not gzip", gzip.compress(text) + b"more"):
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        assert box.post("/v1/checks", content=damaged, headers=headers).status_code == 422


def test_a_small_body_that_unpacks_to_a_huge_one_is_refused_before_it_fills_the_memory(sqlite_house: House) -> None:
    import tracemalloc

    packed = gzip.compress(b" " * (4 * batch_module.UNPACKED_BYTES_MAX), 1)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    box = sqlite_house.box()
    tracemalloc.start()
    answer = box.post("/v1/checks", content=packed, headers=headers)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.status_code == 413
    assert peak < 3 * batch_module.UNPACKED_BYTES_MAX


def test_a_body_that_is_too_large_is_refused(sqlite_house: House) -> None:
    box = sqlite_house.box()
    assert post_raw(box, b" " * (batch_module.SENT_BYTES_MAX + 1), packed=False).status_code == 413


def test_an_empty_batch_is_answered(sqlite_house: House) -> None:
    assert post(sqlite_house.box()).json() == accepted()


@pytest.mark.parametrize("error", [StorageFull("no room"), Unavailable("slow")])
def test_a_store_that_fails_keeps_nothing_of_the_batch(
    error: Exception, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, puts = house.server.store.put, []

    def fail_on_the_third(key: str, data: bytes) -> None:
        puts.append(key)
        if len(puts) == 3:
            raise error
        put(key, data)

    monkeypatch.setattr(house.server.store, "put", fail_on_the_third)
    box = house.box()
    answer = post(box, flagged("S1"), flagged("S2"))
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert all_checks(house.server) == []
    assert list(house.server.store.keys()) == []
    monkeypatch.undo()
    assert post(box, flagged("S1"), flagged("S2")).json() == accepted("S1", "S2")


def test_a_database_that_goes_away_keeps_nothing_of_the_batch(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: object) -> None:
        raise OperationalError("INSERT", {}, Exception("gone"))

    monkeypatch.setattr(repository, "add_pieces", fail)
    box = house.box()
    assert post(box, flagged()).status_code == 503
    assert all_checks(house.server) == []
    assert list(house.server.store.keys()) == []
    monkeypatch.undo()
    assert post(box, flagged()).json() == accepted("S1")


def test_a_commit_of_which_nobody_knows_whether_it_happened_loses_no_picture(
    sqlite_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.orm import Session

    commit = Session.commit

    def commit_and_lose_the_line(session: Session) -> None:
        commit(session)
        if session.get_bind().get_execution_options().get("renzheng_writes"):
            raise OperationalError("COMMIT", {}, Exception("gone"))

    box = sqlite_house.box()
    monkeypatch.setattr(Session, "commit", commit_and_lose_the_line)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "forget_unnamed", lambda server, keys: forget(server, keys, monkeypatch))
        assert post(box, flagged()).status_code == 503
    assert len(the_pieces(sqlite_house.server)) == len(list(sqlite_house.server.store.keys())) == 2
    assert post(box, flagged()).json() == accepted("S1")


_forget_unnamed = pieces.forget_unnamed


def forget(server: Any, keys: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the line there again."""
    monkeypatch.undo()
    _forget_unnamed(server, keys)


def test_objects_of_a_server_that_was_killed_are_found_when_their_day_is_over(sqlite_house: House) -> None:
    server = sqlite_house.server
    post(sqlite_house.box(), flagged())
    today = datetime.now(UTC)
    server.store.put(f"pieces/{today:%Y%m%d}/orphan", b"sealed")
    server.store.put(f"pieces/{today - timedelta(days=1):%Y%m%d}/orphan", b"sealed")
    assert pieces.remove_orphans(server, today.date()) == 1
    assert pieces.remove_orphans(server, date(2020, 1, 1)) == 0
    assert len(list(server.store.keys())) == 3
    assert set(server.store.keys()) > {one.store_key for one in the_pieces(server).values()}


def test_the_description_of_the_api_has_the_whole_contract_of_a_batch(sqlite_house: House) -> None:
    told = sqlite_house.app.openapi()["paths"]["/v1/checks"]["post"]
    schema = told["requestBody"]["content"]["application/json"]["schema"]
    assert "$ref" not in json.dumps(schema)
    assert {"device_id", "checks", "reports"} <= set(schema["properties"])
    assert {"200", "401", "413", "415", "422", "503"} <= set(told["responses"])


def test_a_check_that_is_gone_takes_its_pieces_along(house: House) -> None:
    post(house.box(), flagged())
    with house.server.database.transaction() as session:
        session.delete(session.scalars(select(Check)).one())
    with house.server.database.transaction(writes=False) as session:
        assert session.scalars(select(CheckPiece)).all() == []


def test_samples_that_stay_on_the_box_are_missed_by_nobody(sqlite_house: House) -> None:
    given = delivery(swipe(verdict=Verdict.MISMATCH, samples=(a_sample(crop="S1/0.jpg"),)))
    assert post(sqlite_house.box(), given).json() == accepted("S1")
