"""Swipes that terminals publish on an MQTT topic, one JSON object a message.

The session is persistent and a message is acknowledged only once its swipe is on the disk: what is published with
quality of service 1 while the box is away or full comes when it is back. The client is driven from the agent's own
loop, without a thread, so that no queue lies between broker and disk.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, error_string
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.edge_config import MqttSourceConfig, secret_of
from edge_agent.logs import facts
from edge_agent.swipe_sources.common import Trouble, hand_in, nap
from edge_agent.swipe_sources.intake import Intake
from edge_agent.swipe_sources.swipe_json import BadSwipe, parse_swipe
from renzheng.errors import BadInput, StorageFull

log = logging.getLogger(__name__)

TLS_PORT = 8883
"""There the broker speaks TLS, also where no certificate authority of its own is configured."""
KEEPALIVE_S = 30
LOOK_S = 1.0
"""Keep-alive is looked after so often while nothing comes."""
BACKOFF_S = (1.0, 60.0)
MESSAGE_BYTES_MAX = 2**16


class _Left(Exception):
    """The connection is of no use any more; the message says why."""


class MqttSource:
    """Source ``mqtt``. ``client_id`` names the session at the broker: the same box must always use the same.

    Raises :class:`BadInput` when the password or the certificate cannot be read.
    """

    name = "mqtt"

    def __init__(self, config: MqttSourceConfig, client_id: str, fixmedins_code: str) -> None:
        self._config, self._fixmedins_code = config, fixmedins_code
        self._client = _client(config, client_id)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._trouble = Trouble(log, self.name)
        self._intake: Intake | None = None
        self._why_leave: str | None = None
        self._taken = 0
        self.rejected = 0

    @property
    def trouble(self) -> str:
        """See :class:`~edge_agent.swipe_sources.intake.SwipeSource`."""
        return self._trouble.why

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Hand in what is published, until ``stop``; a broker that is away is tried again, ever more slowly."""
        self._intake = intake
        stopped = asyncio.ensure_future(stop.wait())
        failures = 0
        try:
            while not stop.is_set():
                began_s, self._taken = asyncio.get_running_loop().time(), 0
                try:
                    await self._connection(stopped)
                except (_Left, OSError, ssl.SSLError) as error:
                    self._trouble.begins(f"{self._config.host}:{self._config.port}: {_words(error)}")
                lasted_s = asyncio.get_running_loop().time() - began_s
                failures = 1 if self._taken or lasted_s > BACKOFF_S[1] else failures + 1
                await nap(stop, backoff_s(failures))
        finally:
            stopped.cancel()
            self._close()

    async def _connection(self, stopped: asyncio.Future[Any]) -> None:
        """One connection from its beginning until ``stopped``. Raises when it breaks or is of no use."""
        client, self._why_leave = self._client, None
        await asyncio.to_thread(client.connect, self._config.host, self._config.port, KEEPALIVE_S)
        try:
            while not stopped.done():
                connection = client.socket()
                if connection is None:
                    raise _Left(self._why_leave or "the connection was closed")
                if not _has_more(connection):
                    await _readable(connection, stopped)
                for step in (client.loop_read, client.loop_write, client.loop_misc):
                    code = step()
                    if self._why_leave or code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                        raise _Left(self._why_leave or error_string(code))
        finally:
            self._close()

    def _close(self) -> None:
        """Say goodbye, which keeps the session, and close."""
        self._client.disconnect()
        self._client.loop_write()
        if (connection := self._client.socket()) is not None:
            connection.close()
        self._client.loop_read()  # notices that it is closed and forgets it

    def _on_connect(self, client: Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        if code.is_failure:
            self._why_leave = f"the broker refuses this box: {code}"
        else:
            client.subscribe(self._config.topic, qos=1)

    def _on_subscribe(self, _client: Client, _data: Any, _mid: int, codes: list[ReasonCode], _properties: Any) -> None:
        if any(code.is_failure for code in codes):
            self._why_leave = f"the broker does not let this box read {self._config.topic}"
        else:
            self._trouble.ends()

    def _on_message(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        if self._why_leave or self._intake is None:
            return  # not acknowledged, so it comes again
        try:
            why = self._handed_in(bytes(message.payload), self._intake)
        except StorageFull as error:
            self._why_leave = str(error)
            return
        if why:
            self.rejected += 1
            log.warning("a message is no swipe of this box", extra=facts(source=self.name, why=why))
        self._taken += 1
        client.ack(message.mid, message.qos)

    def _handed_in(self, payload: bytes, intake: Intake) -> str | None:
        if len(payload) > MESSAGE_BYTES_MAX:
            return f"expected at most {MESSAGE_BYTES_MAX} bytes"
        try:
            return hand_in(intake, parse_swipe(payload, self._fixmedins_code), self.name, live=True)
        except BadSwipe as error:
            return str(error)


def backoff_s(failures: int) -> float:
    """Seconds to wait after so many failures in a row: doubling up to a cap, with chance so that boxes spread."""
    shortest_s, longest_s = BACKOFF_S
    return min(longest_s, shortest_s * 2.0 ** min(failures - 1, 16)) * random.uniform(0.5, 1.0)


def _client(config: MqttSourceConfig, client_id: str) -> Client:
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id,
        clean_session=False,
        protocol=MQTTProtocolVersion.MQTTv311,
        manual_ack=True,
    )
    if config.username is not None:
        client.username_pw_set(config.username, secret_of(config.password_file))
    if config.ca_file is not None or config.port == TLS_PORT:
        try:
            client.tls_set_context(ssl.create_default_context(cafile=config.ca_file))
        except OSError as error:
            raise BadInput(f"{config.ca_file}: expected certificates in PEM: {error}") from error
    return client


def _has_more(connection: Any) -> bool:
    """Whether TLS holds bytes that were received and not read; the socket itself then looks idle."""
    return isinstance(connection, ssl.SSLSocket) and connection.pending() > 0


async def _readable(connection: Any, stopped: asyncio.Future[Any]) -> None:
    """Return when bytes are there, when ``stopped``, or after :data:`LOOK_S`."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(connection, ready.set)
    waiting = asyncio.ensure_future(ready.wait())
    try:
        await asyncio.wait({waiting, stopped}, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_reader(connection)
        waiting.cancel()


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
