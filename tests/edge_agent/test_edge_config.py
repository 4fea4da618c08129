"""``edge.toml`` is read, the environment goes over it, and every mistake is named."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from edge_agent.edge_config import BoxFolders, EdgeConfig, KeepConfig, ServerConfig, read_config, secret_of
from renzheng.contracts import BedVerdict, Verdict
from renzheng.errors import BadInput

WHOLE = """
fixmedins_code = "P33028100001"
data_dir = "data"

[references]
gallery = "gallery"

[[camera]]
id = "counter"
url = "rtsp://10.0.0.8/live"
username = "viewer"
password_file = "secrets/camera"

[[terminal]]
id = "T01"
camera = "counter"
"""


def read(folder: Path, text: str) -> EdgeConfig:
    path = folder / "edge.toml"
    path.write_text(text, encoding="utf-8")
    return read_config(path)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(BadInput) as refused:
        read(folder, text)
    assert str(folder / "edge.toml") in str(refused.value)
    return str(refused.value)


def test_a_short_file_is_enough_and_its_paths_lie_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    config = read(tmp_path, WHOLE)
    assert config.data_dir == tmp_path / "data"
    assert config.camera_named("counter").password_file == tmp_path / "secrets" / "camera"
    assert config.references.gallery == tmp_path / "gallery"
    assert (config.http.host, config.server, config.ward) == ("127.0.0.1", None, None)
    assert config.terminal_named("T01") is config.terminal[0] and config.terminal_named("T02") is None


def test_a_whole_path_stays_as_it_is(tmp_path: Path) -> None:
    assert read(tmp_path, WHOLE.replace('"data"', '"/srv/box"')).data_dir == Path("/srv/box")


def test_more_is_read_as_it_says(tmp_path: Path) -> None:
    more = """
[swipes.mqtt]
host = "broker"
password_file = "secrets/mqtt"
[server]
url = "https://review.example.org"
clip_windows = [{ start = "22:00", end = "06:00" }]
[keep]
leaves = { match = "samples" }
bed_leaves = { present = "samples" }
"""
    config = read(tmp_path, WHOLE + more)
    assert config.swipes.mqtt and config.swipes.mqtt.password_file == tmp_path / "secrets" / "mqtt"
    assert config.server and config.server.clip_windows[0].end == time(6)
    assert config.keep.leaves_for(Verdict.MATCH) == config.keep.leaves_for_bed(BedVerdict.PRESENT) == "samples"


def test_only_numbers_leave_of_whom_nothing_is_said_against_and_clips_of_whom_something_is() -> None:
    keep = KeepConfig()
    leaves = {verdict: keep.leaves_for(verdict) for verdict in Verdict}
    assert [v for v in Verdict if leaves[v] == "report"] == [Verdict.MATCH, Verdict.NOT_ENROLLED]
    assert [v for v in Verdict if leaves[v] == "samples"] == [Verdict.PROXY_MATCH]
    assert [v for v in BedVerdict if keep.leaves_for_bed(v) == "report"] == [BedVerdict.PRESENT]


TERMINAL = WHOLE[WHOLE.index("[[terminal]]") :]
CAMERA = WHOLE[WHOLE.index("[[camera]]") : WHOLE.index("[[terminal]]")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WHOLE.replace(CAMERA, ""), "camera: Field required"),
        (WHOLE.replace(TERMINAL, ""), "terminal: expected at least one, or a ward"),
        (WHOLE + CAMERA, "\n  camera: counter is there more than once"),
        (WHOLE + TERMINAL, "terminal: T01 is there more than once"),
        (WHOLE.replace('camera = "counter"', 'camera = "door"'), "terminal.T01.camera: expected one of counter, found"),
        (WHOLE.replace("[references]\n", "[references]\ngalery = 'a'\n"), "references.galery: Extra inputs"),
        (WHOLE.replace('gallery = "gallery"', ""), 'gallery: expected a folder of photos, because source is "folder"'),
        (WHOLE.replace("gallery = ", 'source = "server"\nstaff = '), '"server" needs a [server]'),
        (WHOLE + '[http]\nhost = "0.0.0.0"\n', "http.token_file: needed because http.host 0.0.0.0 can be reached"),
        (WHOLE + "[http]\nport = 70000\n", "http.port: Input should be less than or equal to 65535"),
        (WHOLE + '[server]\nurl = "http://review.example.org"\n', "url: expected https:// for a server that is not on"),
        (WHOLE + '[server]\nurl = "ftp://review.example.org"\n', "server.url"),
        (WHOLE + '[server]\nurl = "https://"\n', "url: expected the server's name after https://"),
        (WHOLE + '[keep]\nleaves = { match = "everything" }\n', "keep.leaves.match"),
        (WHOLE + '[keep]\nleaves = { guilty = "clip" }\n', "keep.leaves"),
        (WHOLE + "[keep]\nalarm_share = 1.5\n", "keep.alarm_share"),
        (WHOLE.replace('id = "counter"', 'id = "the counter"'), "camera.0.id: expected up to 80 letters"),
        (WHOLE.replace("[[camera]]\n", "[[camera]]\nring_gib = 0\n"), "camera.0.ring_gib: Input should be greater"),
        (WHOLE.replace("[[camera]]\n", "[[camera]]\nring_gib = nan\n"), "camera.0.ring_gib"),
        ("fixmedins_code =", "expected TOML"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refusal(tmp_path, text)


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    told = refusal(tmp_path, WHOLE + CAMERA + TERMINAL + '[http]\nhost = "0.0.0.0"\n')
    assert all(part in told for part in ("counter is there more than once", "T01 is there more", "http.token_file"))
    told = refusal(tmp_path, 'fixmedins_code = ""\n[[camera]]\nid = "a b"\n')
    wrong = {line.split(":")[0].strip() for line in told.splitlines()[1:]}
    assert wrong >= {"fixmedins_code", "data_dir", "camera.0.id", "camera.0.url", "references"}


def test_a_file_that_is_missing_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"edge\.toml: no such file"):
        read_config(tmp_path / "edge.toml")
    (tmp_path / "edge.toml").write_bytes(b'fixmedins_code = "\xff"')
    with pytest.raises(BadInput, match="expected text in UTF-8"):
        read_config(tmp_path / "edge.toml")


# --- environment and secrets -----------------------------------------------------------------------------------------


def test_the_environment_goes_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENZHENG_EDGE_HTTP__PORT", "9000")
    monkeypatch.setenv("RENZHENG_EDGE_DATA_DIR", "elsewhere")
    monkeypatch.setenv("RENZHENG_EDGE_HTTP__TOKEN_FILE", "/run/secrets/token")
    config = read(tmp_path, WHOLE + "[http]\nport = 8000\n")
    assert config.http.port == 9000
    assert config.data_dir == tmp_path / "elsewhere"
    assert config.http.token_file == Path("/run/secrets/token")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [("HTTP__PORT", "many", "http.port"), ("CAMERA", "[{", "RENZHENG_EDGE"), ("DATA_DIR", "", "data_dir")],
)
def test_a_mistake_in_the_environment_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(f"RENZHENG_EDGE_{name}", value)
    if name == "DATA_DIR":
        assert read(tmp_path, WHOLE).data_dir == tmp_path  # an empty path is the folder itself
        return
    with pytest.raises(BadInput, match=expected):
        read(tmp_path, WHOLE)


def test_one_file_read_leaves_nothing_for_the_next(tmp_path: Path) -> None:
    read(tmp_path, WHOLE)
    other = tmp_path / "other"
    other.mkdir()
    assert read(other, WHOLE).data_dir == other / "data"
    with pytest.raises(BadInput):
        read(other, "x = 1")
    assert read(tmp_path, WHOLE).data_dir == tmp_path / "data"


def test_a_secret_is_the_text_of_its_file_without_the_line_end(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("a secret\r\n", encoding="utf-8")
    assert secret_of(path) == "a secret"
    assert secret_of(None) is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "the secret cannot be read"), (b"\n", "expected a secret, the file is empty"), (b"\xff", "cannot be read")],
)
def test_a_secret_that_is_none_is_named(tmp_path: Path, content: bytes | None, expected: str) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=expected) as refused:
        secret_of(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://localhost/", "http://[::1]", "http://[::1]:8000/", "https://10.0.0.1:8443"]
)
def test_a_server_on_this_machine_or_over_tls_is_fine(url: str) -> None:
    assert ServerConfig(url=url).url == url


@pytest.mark.parametrize("url", ["http://127.0.0.1:80@example.org/", "http://localhost.example.org", "http://10.0.0.1"])
def test_an_open_line_to_another_machine_is_refused_however_it_is_written(url: str) -> None:
    with pytest.raises(ValueError, match="expected https://"):
        ServerConfig(url=url)


def test_an_evidence_folder_cannot_leave_its_place(tmp_path: Path) -> None:
    folders = BoxFolders(tmp_path)
    assert folders.evidence_of("../../etc").parent == tmp_path / "evidence"
    assert folders.ring("counter") == tmp_path / "ring" / "counter"


def test_a_mark_before_the_text_is_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(WHOLE, encoding="utf-8-sig")
    assert read_config(path).fixmedins_code == read(tmp_path, WHOLE).fixmedins_code


@pytest.mark.parametrize("url", ["ftp://10.0.0.9/a", "camera one", "/srv/a.mp4", ""])
def test_an_address_that_can_be_no_cameras_is_named(tmp_path: Path, url: str) -> None:
    lines = [f'url = "{url}"' if line.startswith("url") else line for line in WHOLE.splitlines()]
    told = refusal(tmp_path, "\n".join(lines))
    assert "camera.0.url" in told and "expected rtsp://, http://, https://" in told
