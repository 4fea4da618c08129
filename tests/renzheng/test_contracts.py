"""What crosses a process: round trips, times, refusals, and the exported schemas."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from renzheng.clock import SHANGHAI
from renzheng.contracts import (
    FLAGGED,
    ClipReference,
    Coverage,
    FaceSample,
    IdentityCheck,
    PackReference,
    Reason,
    SampleQuality,
    Swipe,
    ThresholdValues,
    TrackEvidence,
    TrackRole,
    Verdict,
)
from renzheng.contracts.schemas import main, schema_files

COMMITTED = Path(__file__).parents[2] / "docs" / "contracts"
NINE = datetime(2026, 5, 1, 1, 0, tzinfo=UTC)
SWIPE = {
    "setl_id": "s1",
    "psn_no": "330001",
    "fixmedins_code": "P33028100001",
    "terminal_id": "t1",
    "setl_time": "2026-05-01 09:00:00",
}


def sample() -> FaceSample:
    quality = SampleQuality(components={"Sharpness": 0.5}, measures={"eyes_px": 41.5}, failed=(), score=0.5)
    return FaceSample(
        track=0, captured_at=NINE, offset_s=-1.25, box_xyxy=(1.0, 2.0, 3.5, 4.0), frame_wh=(1920, 1080),
        quality=quality, assessable=True, similarity=0.71, crop="crops/s1-0.jpg",
    )  # fmt: skip


def track() -> TrackEvidence:
    return TrackEvidence(
        track=0, role=TrackRole.HOLDER, first_seen=NINE, last_seen=NINE + timedelta(seconds=3), frames_seen=9,
        in_counter_zone=True, samples=1, assessable_samples=1, independent_samples=1, concentration=1.0,
        lowest_agreement=1.0, holder_score=0.71,
    )  # fmt: skip


def check(**changes: object) -> IdentityCheck:
    values: dict[str, object] = {
        "swipe_id": "s1", "psn_no": "330001", "fixmedins_code": "P33028100001", "terminal_id": "t1",
        "swiped_at": NINE, "clock_offset_s": 0.5, "window_start": NINE - timedelta(seconds=6),
        "window_end": NINE + timedelta(seconds=4), "verdict": Verdict.MATCH, "reasons": (Reason.STRONG_SAMPLE,),
        "score": 0.71, "tracks": (track(),), "samples": (sample(),),
        "coverage": Coverage(recorded_share=1.0, frames_looked=10, searched_share=0.4),
        "clip": ClipReference(path="clips/s1.mp4", sha256="0" * 64, start=NINE, end=NINE, source=("a.mp4",)),
        "pack": PackReference(name="opencv-zoo", detector_sha256="1" * 64, embedder_sha256="2" * 64),
        "thresholds": ThresholdValues(
            name="x", digest="3" * 64, accept=0.4, reject=0.2, few_samples_margin=0.1, target_fmr=1e-4, target_fnmr=0.01
        ),
        "reference_photos": 2, "agent_version": "0.1.0",
    }  # fmt: skip
    return IdentityCheck.model_validate(values | changes)


def test_a_check_comes_back_from_json_as_it_went() -> None:
    text = check().model_dump_json()

    assert IdentityCheck.model_validate_json(text) == check()
    assert IdentityCheck.model_validate_json(text).model_dump_json() == text


@given(
    st.datetimes(min_value=datetime(1980, 1, 1), max_value=datetime(2100, 1, 1)), st.dictionaries(st.text(), st.text())
)
def test_a_swipe_comes_back_from_json_as_it_went(moment: datetime, fields: dict[str, str]) -> None:
    swipe = Swipe.model_validate(SWIPE | {"setl_time": moment, "platform_fields": fields})

    assert Swipe.model_validate_json(swipe.model_dump_json()) == swipe


def test_a_time_without_zone_is_shanghai_and_kept_in_utc() -> None:
    naive = Swipe.model_validate(SWIPE)
    aware = Swipe.model_validate(SWIPE | {"setl_time": NINE.astimezone(SHANGHAI)})

    assert naive == aware
    assert naive.setl_time.tzinfo is UTC
    assert '"setl_time":"2026-05-01T01:00:00Z"' in naive.model_dump_json()


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00", "9999-12-31T23:59:59-01:00"])
def test_a_time_that_lies_in_no_year_of_utc_is_refused(moment: str) -> None:
    with pytest.raises(ValidationError, match="year in UTC is 1 to 9999"):
        Swipe.model_validate(SWIPE | {"setl_time": moment})


@pytest.mark.parametrize("contract", [Swipe, IdentityCheck])
def test_an_unknown_field_is_refused(contract: type[Swipe] | type[IdentityCheck]) -> None:
    known = SWIPE if contract is Swipe else check().model_dump()

    with pytest.raises(ValidationError, match="surprise"):
        contract.model_validate(known | {"surprise": 1})


@pytest.mark.parametrize("version", [0, 2, "1"])
def test_another_version_is_refused(version: object) -> None:
    with pytest.raises(ValidationError, match="contract_version"):
        Swipe.model_validate(SWIPE | {"contract_version": version})


@pytest.mark.parametrize("field", list(SWIPE))
def test_a_swipe_lacks_nothing(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        Swipe.model_validate({name: value for name, value in SWIPE.items() if name != field})
    with pytest.raises(ValidationError, match=field):
        Swipe.model_validate(SWIPE | {field: ""})


@pytest.mark.parametrize("changes", [{"verdict": "fraud"}, {"reasons": ["because"]}, {"score": 1.5}, {"kind": "bed"}])
def test_a_value_outside_the_contract_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(changes))):
        check(**changes)


def test_a_contract_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        check().verdict = Verdict.MISMATCH  # type: ignore[misc]


def test_a_poor_picture_is_never_flagged() -> None:
    assert Verdict.NOT_ASSESSABLE not in FLAGGED
    assert Verdict.NOT_ENROLLED not in FLAGGED


@pytest.mark.parametrize("name", ["swipe.schema.json", "identity_check.schema.json"])
def test_the_committed_schemas_are_what_the_code_gives(name: str) -> None:
    assert (COMMITTED / name).read_text(encoding="utf-8") == schema_files()[name], "run `make schemas` and commit"


def test_no_schema_is_committed_that_the_code_does_not_give() -> None:
    assert {path.name for path in COMMITTED.glob("*.json")} == set(schema_files())


def test_schemas_are_sorted_and_end_in_a_newline() -> None:
    for text in schema_files().values():
        assert text == json.dumps(json.loads(text), sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def test_the_schemas_are_written_by_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "renzheng.contracts.schemas", str(tmp_path / "new")]

    subprocess.run(command, check=True, capture_output=True)

    assert {path.name for path in (tmp_path / "new").iterdir()} == set(schema_files())


def test_the_command_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
