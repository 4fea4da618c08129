"""``renzheng edge …`` as an operator meets it: what it prints and how it leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.agent import replay
from edge_agent.uplink.device import load_identity
from renzheng.cli import run
from renzheng.demo.footage import zones_toml
from tests.edge_agent.numbered_video import write_video
from tests.edge_agent.stand_in import StandInServer, free_port

CONFIG = """
fixmedins_code = "P33028100001"
data_dir = "data"
{top}
[references]
gallery = "gallery"
{references}
[http]
port = {port}
{http}
[[camera]]
id = "counter"
url = "file:{video}"
{camera}
[[terminal]]
id = "T01"
camera = "counter"
{more}
"""
SWIPES = "setl_id,psn_no,fixmedins_code,terminal_id,setl_time\nS1,raj,P33028100001,{terminal},2026-05-01 09:00:02\n"
Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes ``edge.toml`` in which everything is in order but for what is given; returns its path."""
    (tmp_path / "gallery").mkdir()
    (tmp_path / "counter.mp4").touch()

    def written(**given: str) -> str:
        usual = dict.fromkeys(("top", "references", "http", "camera", "more"), "")
        usual |= {"port": str(free_port()), "video": str(tmp_path / "counter.mp4")}
        path = tmp_path / "edge.toml"
        path.write_text(CONFIG.format(**(usual | given)), encoding="utf-8")
        return str(path)

    return written


def test_a_configuration_in_order_is_told_so(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "zones.toml").write_text(zones_toml(), encoding="utf-8")
    assert run(["edge", "check-config", "--config", write(camera='zones = "zones.toml"')]) == 0
    assert "in order: 1 cameras, 1 terminals" in capsys.readouterr().out


def test_what_may_not_be_meant_is_told_with_a_configuration_in_order(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    person = tmp_path / "gallery" / "33028100000000000011"
    person.mkdir()
    (person / "1.jpg").write_text("no picture")
    config = write(more='[server]\nurl = "https://review.example.org"')
    assert run(["edge", "check-config", "--config", config]) == 0
    told = capsys.readouterr().out
    assert "not enrolled there yet" in told and "a clerk counts as a customer" in told
    assert f"{person / '1.jpg'}: " in told and "people: 1, without a usable photo: 1; photos refused: 1" in told


@pytest.mark.parametrize("command", ["run", "check-config"])
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"camera": 'zones = "nowhere.toml"'}, "camera counter, zones: "),
        ({"camera": 'password_file = "nowhere"'}, "camera counter, password_file: "),
        ({"video": "/nowhere.mp4"}, "camera counter, url: /nowhere.mp4: no such file"),
        ({"top": 'pack = "nowhere"'}, "pack: "),
        ({"top": 'thresholds = "nowhere"'}, "thresholds: "),
        ({"references": 'staff = "nowhere"'}, "references.staff: "),
        ({"references": 'agents = "nowhere.csv"'}, "references.agents: "),
        ({"http": 'token_file = "nowhere"'}, "http.token_file: "),
        ({"more": '[swipes.mqtt]\nhost = "b"\npassword_file = "nowhere"'}, "swipes.mqtt.password_file: "),
        ({"more": '[server]\nurl = "https://s"\nca_file = "counter.mp4"'}, "server.ca_file: "),
        ({"top": 'ward = "nowhere.toml"'}, "ward: "),
    ],
)
def test_what_a_configuration_names_and_is_not_there_is_named(
    write: Write, capsys: pytest.CaptureFixture[str], command: str, given: dict[str, str], expected: str
) -> None:
    assert run(["edge", command, "--config", write(**given)]) == 2
    told = capsys.readouterr()
    assert told.out == "" and "Traceback" not in told.err
    assert f"\n  {expected}" in told.err


@pytest.mark.parametrize("command", ["run", "check-config", "status"])
def test_a_camera_that_is_missing_in_the_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    path = tmp_path / "edge.toml"
    path.write_text('fixmedins_code = "P"\ndata_dir = "d"\n[references]\ngallery = "g"\n', encoding="utf-8")
    assert run(["edge", command, "--config", str(path)]) == 2
    assert "camera: Field required" in capsys.readouterr().err


def test_a_data_folder_that_cannot_be_made_is_named(
    tmp_path: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Path(write())
    config.write_text(config.read_text("utf-8").replace('"data"', '"counter.mp4/data"'), encoding="utf-8")
    assert run(["edge", "check-config", "--config", str(config)]) == 2
    told = capsys.readouterr().err
    assert "data_dir: " in told and "counter.mp4" in told and "Traceback" not in told


def test_a_port_that_is_taken_stops_the_start(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run(["edge", "run", "--config", write(port=str(taken.getsockname()[1]))]) == 2
    assert "cannot be listened on" in capsys.readouterr().err


def test_a_box_that_does_not_run_is_told_so(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    config = write()
    assert run(["edge", "status", "--config", config]) == 1
    assert "not running, or no answer" in capsys.readouterr().err
    assert run(["edge", "status", "--config", config, "--quiet"]) == 1
    assert capsys.readouterr() == ("", "")


def test_a_box_is_enrolled_once_and_says_what_is_wrong(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write()
    nobody = f"http://127.0.0.1:{free_port()}"
    assert run(["edge", "enroll-device", nobody, "token", "--config", config]) == 2
    assert "cannot be reached" in capsys.readouterr().err
    with StandInServer(tmp_path / "server", enrol_token="once") as server:
        assert run(["edge", "enroll-device", server.url, "wrong", "--config", config]) == 2
        assert "answered 40" in capsys.readouterr().err
        monkeypatch.setattr("sys.stdin", iter_lines("\n"))
        assert run(["edge", "enroll-device", server.url, "-", "--config", config]) == 2
        assert "expected the one-time token" in capsys.readouterr().err
        monkeypatch.setattr("sys.stdin", iter_lines("once\n"))
        assert run(["edge", "enroll-device", server.url, "-", "--config", config]) == 0
    told = capsys.readouterr().out
    identity = load_identity(tmp_path / "data" / "device")
    assert identity.enrolled and identity.device_id in told and "once" not in told


def iter_lines(text: str) -> object:
    import io

    return io.StringIO(text)


def test_an_address_that_is_no_servers_is_refused(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["edge", "enroll-device", "http://review.example.org", "token", "--config", write()]) == 2
    assert "expected https://" in capsys.readouterr().err


# --- replay ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return write_video(tmp_path / "20260501T090000+0800.mp4")


@pytest.mark.parametrize(
    ("words", "terminal", "expected"),
    [
        (["--recordings", "door={recording}", "--swipes", "{swipes}"], "T01", "expected CAMERA=FILE with a camera out"),
        (["--recordings", "{recording}"], "T01", "--swipes: expected a table of swipes"),
        (["--recordings", "nowhere.mp4", "--swipes", "{swipes}"], "T01", "nowhere.mp4"),
        (["--recordings", "{recording}", "--swipes", "{swipes}"], "T09", "swipe S1, terminal_id: expected one of T01"),
        (["--recordings", "{recording}", "--swipes", "{swipes}", "--speed", "0"], "T01", "--speed"),
    ],
)
def test_what_cannot_be_replayed_is_told(
    write: Write, tmp_path: Path, recording: Path, capsys: pytest.CaptureFixture[str],
    words: list[str], terminal: str, expected: str,
) -> None:  # fmt: skip
    swipes = tmp_path / "swipes.csv"
    swipes.write_text(SWIPES.format(terminal=terminal), encoding="utf-8")
    given = [word.format(recording=recording, swipes=swipes) for word in words]
    out = tmp_path / "out"
    assert run(["edge", "replay", "--config", write(), "--out", str(out), *given]) == 2
    told = capsys.readouterr().err
    assert expected in told and "Traceback" not in told
    assert not (out / "checks.jsonl").exists()


def test_a_replay_writes_its_checks_and_does_not_go_over_another(
    write: Write,
    tmp_path: Path,
    recording: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replay, "BEGIN_AFTER_S", 1.0)
    swipes, out = tmp_path / "swipes.csv", tmp_path / "out"
    swipes.write_text(SWIPES.format(terminal="T01"), encoding="utf-8")
    words = ["edge", "replay", "--config", write(), "--recordings", str(recording), "--swipes", str(swipes)]
    words += ["--out", str(out), "--speed", "20"]
    assert run(words) == 0
    said = capfd.readouterr().out
    assert said.startswith("S1  未建档 not enrolled: ") and said.endswith(f"{out / 'checks.jsonl'}\n")
    (line,) = (out / "checks.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["swipe_id"] == "S1"
    assert (out / "bed_checks.jsonl").read_text("utf-8") == ""
    assert run(words) == 2
    assert "expected an empty folder for a replay" in capfd.readouterr().err
