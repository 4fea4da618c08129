"""Who a box is, with and without a server."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from edge_agent.edge_config import ServerConfig
from edge_agent.uplink.device import EnrolmentFailed, enrol_device, load_identity, storage_sealer, tls_of
from renzheng.errors import BadInput
from tests.edge_agent.stand_in import StandInServer, free_port


def enrol(server: StandInServer, folder: Path, token: str) -> str:
    return enrol_device(server.url, token, folder, fixmedins_code="P33028100001").device_id


def test_a_box_without_a_server_names_itself_after_its_key_and_stays_the_same(tmp_path: Path) -> None:
    first, again = load_identity(tmp_path / "device"), load_identity(tmp_path / "device")
    assert first.device_id == again.device_id == f"local-{first.signing.key_id[:16]}"
    assert not first.enrolled
    assert load_identity(tmp_path / "other").device_id != first.device_id


def test_an_enrolled_box_keeps_its_token_for_itself(server: StandInServer, tmp_path: Path) -> None:
    server.tell(enrol_token="first")
    folder = tmp_path / "device"
    key_before = load_identity(folder).signing.key_id
    identity = enrol_device(server.url, "first", folder, fixmedins_code="P33028100001")
    assert identity.enrolled
    assert identity.device_id.startswith("box-")
    assert identity.signing.key_id == key_before
    assert load_identity(folder).token == identity.token
    assert load_identity(folder).server_public_key == identity.server_public_key
    assert identity.token is not None
    assert identity.token not in repr(identity)
    storage_sealer(folder)
    assert [stat.S_IMODE(path.stat().st_mode) for path in sorted(folder.iterdir())] == [0o600] * 3
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_an_enrolment_whose_answer_was_lost_is_repeated_with_the_same_token(
    server: StandInServer, tmp_path: Path
) -> None:
    server.tell(enrol_token="second")
    server.fail("drop_answer", route="/v1/devices", times=1)
    with pytest.raises(EnrolmentFailed, match="cannot be reached"):
        enrol(server, tmp_path / "device", "second")
    assert not load_identity(tmp_path / "device").enrolled
    assert enrol(server, tmp_path / "device", "second").startswith("box-")


def test_a_token_serves_one_box(server: StandInServer, tmp_path: Path) -> None:
    server.tell(enrol_token="third")
    enrol(server, tmp_path / "one", "third")
    with pytest.raises(EnrolmentFailed, match="403"):
        enrol(server, tmp_path / "two", "third")


def test_a_refused_enrolment_leaves_the_former_identity(server: StandInServer, tmp_path: Path) -> None:
    server.tell(enrol_token="fourth")
    device_id = enrol(server, tmp_path / "device", "fourth")
    with pytest.raises(EnrolmentFailed, match="403"):
        enrol(server, tmp_path / "device", "wrong")
    assert load_identity(tmp_path / "device").device_id == device_id


def test_something_that_is_no_server_enrols_nobody(server: StandInServer, tmp_path: Path) -> None:
    server.fail("nonsense", route="/v1/devices")
    with pytest.raises(EnrolmentFailed, match="is it the server"):
        enrol(server, tmp_path / "device", "any")
    with pytest.raises(EnrolmentFailed, match="cannot be reached"):
        enrol_device(f"http://127.0.0.1:{free_port()}", "any", tmp_path / "device", fixmedins_code="P1")


@pytest.mark.parametrize("url", ["http://example.org", "ftp://127.0.0.1", "example.org"])
def test_a_token_is_not_sent_over_an_open_line(url: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="server"):
        enrol_device(url, "any", tmp_path / "device", fixmedins_code="P1")


def test_a_damaged_enrolment_stops_with_its_file_named(tmp_path: Path) -> None:
    load_identity(tmp_path)
    (tmp_path / "enrolment.json").write_text("{")
    with pytest.raises(BadInput, match=r"enrolment\.json.*enrol the box again"):
        load_identity(tmp_path)


def test_a_file_without_certificates_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("not a certificate")
    with pytest.raises(BadInput, match=r"ca\.pem"):
        tls_of(ServerConfig(url="https://example.org", ca_file=path))
