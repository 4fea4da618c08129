"""Swipes over a real Mosquitto: restarts, a full disk, TLS, passwords. Skipped where there is none."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import logging
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.edge_config import MqttSourceConfig
from edge_agent.swipe_sources import mqtt
from edge_agent.swipe_sources.mqtt import MqttSource, backoff_s
from renzheng.errors import BadInput
from tests.edge_agent.swipe_sources.remembering_intake import BOX, RememberingIntake, fields, running, until

MOSQUITTO = shutil.which("mosquitto", path=f"/usr/sbin:/usr/local/sbin:{os.environ.get('PATH', '')}")
PASSWD = Path("/usr/bin/mosquitto_passwd")

needs_broker = pytest.mark.skipif(MOSQUITTO is None, reason="Mosquitto is not installed")
TOPIC = "renzheng/swipes"


class Broker:
    """A Mosquitto of one's own; its sessions outlive its restarts."""

    def __init__(self, folder: Path, *lines: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._folder, self._process = folder, None
        self._config = folder / "mosquitto.conf"
        user = [f"user {os.environ.get('USER', 'root')}"] if os.geteuid() == 0 else []
        usual = [f"listener {self.port} 127.0.0.1", "persistence true", f"persistence_location {folder}/"]
        access = [] if any(line.startswith("password_file") for line in lines) else ["allow_anonymous true"]
        self._config.write_text("\n".join([*usual, *access, *user, *lines]) + "\n")

    def start(self) -> None:
        """Returns when it listens."""
        assert MOSQUITTO
        log = (self._folder / "broker.log").open("ab")
        with log:
            self._process = subprocess.Popen([MOSQUITTO, "-c", str(self._config)], stdout=log, stderr=log)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError((self._folder / "broker.log").read_text())

    def stop(self) -> None:
        """Ends it; it writes down its sessions."""
        if self._process:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def publish(self, *payloads: bytes | str | dict[str, Any], qos: int = 1) -> None:
        """Returns when the broker has them."""
        client = Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        try:
            for payload in payloads:
                text = json.dumps(payload) if isinstance(payload, dict) else payload
                client.publish(TOPIC, text, qos=qos).wait_for_publish(5)
        finally:
            client.disconnect()
            client.loop_stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "BACKOFF_S", (0.05, 0.2))


def source_of(broker: Broker, **more: Any) -> MqttSource:
    return MqttSource(MqttSourceConfig(host="127.0.0.1", port=broker.port, **more), "box-1", BOX)


def do(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


async def subscribed(broker: Broker, intake: RememberingIntake, number: int = 0) -> None:
    """Publish until a swipe arrives, so that the session is known to be there."""
    for _ in range(200):
        await asyncio.to_thread(broker.publish, fields(number))
        if f"S{number:04d}" in intake.ids:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the source never subscribed")


@needs_broker
def test_published_swipes_are_taken_and_bad_messages_counted_and_gone(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    intake, source = RememberingIntake(), source_of(broker)

    async def story() -> None:
        async with running(source, intake):
            await subscribed(broker, intake)
            bad = [b"", b"\x00", "{}", fields(1, psn_no="33028100009\n1"), fields(2, terminal_id="T99"), " " * 70000]
            await asyncio.to_thread(broker.publish, *bad, *(fields(n) for n in range(3, 40)), fields(3, psn_no="5"))
            await until(lambda: len(intake.ids) == 38 and source.rejected == 7)
        taken = len(intake.taken)
        async with running(source_of(broker), intake):
            await subscribed(broker, intake, 40)
        assert len({swipe_id for swipe_id, *_ in intake.taken[taken:]}) == 1, "nothing came a second time"

    with caplog.at_level(logging.DEBUG):
        do(story())
    assert {(source_name, live) for _, source_name, live in intake.taken} == {("mqtt", True)}
    told = "".join(str(vars(record)) for record in caplog.records)
    assert "张三" not in told and "33028100009" not in told


@needs_broker
def test_what_was_published_while_the_box_was_away_comes_when_it_is_back(broker: Broker) -> None:
    intake = RememberingIntake()

    async def story() -> None:
        async with running(source_of(broker), intake):
            await subscribed(broker, intake)
        await asyncio.to_thread(broker.publish, *(fields(n) for n in range(1, 51)))
        assert len(intake.ids) == 1
        async with running(source_of(broker), intake):
            await until(lambda: len(intake.ids) == 51)

    do(story())


@needs_broker
def test_a_broker_that_restarts_is_found_again_and_nothing_is_lost(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    intake = RememberingIntake()

    async def story() -> None:
        async with running(source_of(broker), intake):
            await subscribed(broker, intake)
            for number in (1, 2):
                broker.stop()
                await asyncio.sleep(0.4)
                await asyncio.to_thread(broker.start)
                await asyncio.to_thread(broker.publish, fields(number))
                await until(lambda swipe_id=f"S{number:04d}": swipe_id in intake.ids)  # type: ignore[misc]

    do(story())
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert 1 <= len(warnings) <= 6, "trouble that lasts is told once"


@needs_broker
def test_a_swipe_that_finds_no_room_stays_with_the_broker_until_there_is(broker: Broker) -> None:
    intake = RememberingIntake()

    async def story() -> None:
        async with running(source_of(broker), intake):
            await subscribed(broker, intake)
            intake.is_full = True
            await asyncio.to_thread(broker.publish, *(fields(n) for n in range(1, 6)))
            await asyncio.sleep(0.3)
            assert len(intake.ids) == 1
            intake.is_full = False
            await until(lambda: len(intake.ids) == 6)

    do(story())


@needs_broker
def test_killed_after_taking_and_before_acknowledging_it_is_taken_again(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake = RememberingIntake()

    async def story() -> None:
        async with running(source_of(broker), intake):
            await subscribed(broker, intake)
        with monkeypatch.context() as patched:
            patched.setattr(Client, "ack", lambda *_: None)
            async with running(source_of(broker), intake):
                await asyncio.to_thread(broker.publish, fields(1))
                await until(lambda: "S0001" in intake.ids)
        intake.taken.clear()
        async with running(source_of(broker), intake):
            await until(lambda: ("S0001", "mqtt", True) in intake.taken)

    do(story())


@needs_broker
@pytest.mark.skipif(not PASSWD.is_file(), reason="mosquitto_passwd is not installed")
def test_a_wrong_password_is_told_once_and_the_right_one_works(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    subprocess.run([PASSWD, "-b", "-c", tmp_path / "users", "box", "right-one"], check=True, capture_output=True)
    (tmp_path / "users").chmod(0o644)
    broker = Broker(tmp_path, f"password_file {tmp_path / 'users'}", "allow_anonymous false")
    broker.start()
    secret = tmp_path / "secret"
    secret.write_text("wrong-one\n")

    async def story(for_s: float) -> None:
        async with running(source_of(broker, username="box", password_file=secret), RememberingIntake()):
            await asyncio.sleep(for_s)

    try:
        do(story(1.0))
        warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
        assert len(warnings) == 1 and "Not authorized" in warnings[0] and "wrong-one" not in caplog.text
        caplog.clear()
        secret.write_text("right-one\n")
        do(story(0.5))
        assert not caplog.records
    finally:
        broker.stop()


@needs_broker
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves a refused socket to Python
def test_a_broker_with_tls_is_trusted_by_its_authority_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    certificate, key = _self_signed(tmp_path)
    broker = Broker(tmp_path, f"certfile {certificate}", f"keyfile {key}")
    broker.start()
    intake = RememberingIntake()

    def publish(number: int) -> None:
        client = Client(CallbackAPIVersion.VERSION2)
        client.tls_set_context(ssl.create_default_context(cafile=str(certificate)))
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        client.publish(TOPIC, json.dumps(fields(number)), qos=1).wait_for_publish(5)
        client.disconnect()
        client.loop_stop()

    async def story() -> None:
        async with running(source_of(broker, ca_file=certificate), intake):
            for number in range(200):
                await asyncio.to_thread(publish, number)
                if intake.ids:
                    break
            for more in range(number + 1, number + 6):
                await asyncio.to_thread(publish, more)
            await until(lambda: f"S{number + 5:04d}" in intake.ids)
        assert not caplog.records
        other, _ = _self_signed(tmp_path / "other")
        async with running(source_of(broker, ca_file=other), intake):
            await until(lambda: "certificate" in caplog.text.lower())

    try:
        do(story())
    finally:
        broker.stop()


def test_a_broker_that_is_not_there_is_told_once_and_stopping_does_not_wait(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    source = MqttSource(MqttSourceConfig(host="127.0.0.1", port=port), "box-1", BOX)

    async def story() -> None:
        async with running(source, RememberingIntake()):
            await asyncio.sleep(0.6)

    do(story())
    assert [record.levelname for record in caplog.records if record.levelno >= logging.WARNING] == ["WARNING"]


def test_a_broker_that_accepts_and_says_nothing_does_not_hold_up_the_box() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        source = MqttSource(MqttSourceConfig(host="127.0.0.1", port=mute.getsockname()[1]), "box-1", BOX)

        async def story() -> None:
            async with running(source, RememberingIntake()):
                began = time.monotonic()
                for _ in range(50):
                    await asyncio.sleep(0.01)
                assert time.monotonic() - began < 2

        do(story())


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    with pytest.raises(BadInput, match=r"ca\.pem: expected certificates in PEM"):
        MqttSource(MqttSourceConfig(host="h", ca_file=path), "box-1", BOX)


def test_waiting_doubles_up_to_a_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "BACKOFF_S", (1.0, 60.0))
    for failures, most in ((1, 1), (2, 2), (5, 16), (7, 60), (10_000, 60)):
        waits = {backoff_s(failures) for _ in range(50)}
        assert most / 2 <= min(waits) and max(waits) <= most and len(waits) > 10


def _self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    folder.mkdir(exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_pem = folder / "broker.pem", folder / "broker.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem, key_pem
