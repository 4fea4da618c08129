"""Who this box is to the server, and the keys it keeps in ``data_dir/device``."""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from pydantic import BaseModel, ValidationError

import renzheng
from edge_agent.edge_config import ServerConfig
from renzheng.contracts import EnrolmentAnswer, EnrolmentRequest
from renzheng.crypto import KEY_BYTES, Sealer, SigningKey, read_or_make_key
from renzheng.errors import BadInput, RenzhengError
from renzheng.files import atomic_path, make_private

_ENROLMENT = "enrolment.json"
_DETAIL_MAX = 300


class EnrolmentFailed(RenzhengError):
    """The server did not take the box, or could not be asked."""


@dataclass(frozen=True)
class DeviceIdentity:
    """The box. Not enrolled: it signs with its own key, has no token, and seals for nobody."""

    device_id: str
    signing: SigningKey = field(repr=False)
    token: str | None = field(default=None, repr=False)
    server_public_key: bytes | None = field(default=None, repr=False)

    @property
    def enrolled(self) -> bool:
        """Whether a server knows this box."""
        return self.token is not None


class _Enrolment(BaseModel):
    """What is kept of the server's answer."""

    server_url: str
    answer: EnrolmentAnswer


def load_identity(folder: Path) -> DeviceIdentity:
    """The box's identity; its keys are made when there are none.

    Raises :class:`BadInput` when a file in the folder does not hold what it should.
    """
    make_private(folder)
    signing = SigningKey(read_or_make_key(folder / "signing.key"))
    path = folder / _ENROLMENT
    if not path.exists():
        return DeviceIdentity(f"local-{signing.key_id[:16]}", signing)
    try:
        answer = _Enrolment.model_validate_json(path.read_bytes()).answer
    except (OSError, ValidationError) as error:
        raise BadInput(f"{path}: expected what a server answered to an enrolment; enrol the box again") from error
    return DeviceIdentity(answer.device_id, signing, answer.device_token, _public_key(answer, str(path)))


def storage_sealer(folder: Path) -> Sealer:
    """Encrypts what this box caches; the key is made when there is none. Raises :class:`BadInput`."""
    return Sealer(read_or_make_key(folder / "storage.key"))


def enrol_device(
    server_url: str,
    token: str,
    folder: Path,
    *,
    fixmedins_code: str,
    ca_file: Path | None = None,
    timeout_s: float = 15.0,
) -> DeviceIdentity:
    """Make this box known to a server and keep its answer. A box that was enrolled before gets a new identity.

    Raises :class:`BadInput` for an address that is no server's, :class:`EnrolmentFailed` with what the server said.
    """
    try:
        server = ServerConfig(url=server_url, ca_file=ca_file, timeout_s=timeout_s)
    except ValidationError as error:
        raise BadInput(f"server: {'; '.join(e['msg'] for e in error.errors())}") from error
    key = load_key(folder)
    request = EnrolmentRequest(
        token=token,
        public_key=base64.b64encode(key.public).decode(),
        fixmedins_code=fixmedins_code,
        agent_version=renzheng.__version__,
    )
    answer = _ask(server, request)
    _public_key(answer, server.url)
    kept = _Enrolment(server_url=server.url, answer=answer).model_dump_json()
    with atomic_path(folder / _ENROLMENT) as part:
        part.touch(mode=0o600)
        part.write_text(kept, "utf-8")
    return load_identity(folder)


def load_key(folder: Path) -> SigningKey:
    """The key the box signs with, made when there is none."""
    make_private(folder)
    return SigningKey(read_or_make_key(folder / "signing.key"))


def tls_of(server: ServerConfig) -> ssl.SSLContext | bool:
    """What a server's certificate is checked against. Raises :class:`BadInput` when the file holds no certificate."""
    if server.ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(server.ca_file))
    except (OSError, ssl.SSLError) as error:
        raise BadInput(f"server.ca_file: {server.ca_file}: expected certificates in PEM: {error}") from error


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine; proxies are then left aside."""
    return httpx.URL(url).host in ("127.0.0.1", "localhost", "::1")


def _ask(server: ServerConfig, request: EnrolmentRequest) -> EnrolmentAnswer:
    url = f"{server.url.rstrip('/')}/v1/devices/enroll"
    try:
        with httpx.Client(
            verify=tls_of(server), timeout=server.timeout_s, trust_env=not is_loopback(server.url)
        ) as client:
            response = client.post(url, content=request.model_dump_json(), headers={"Content-Type": "application/json"})
    except httpx.HTTPError as error:
        raise EnrolmentFailed(f"{server.url}: cannot be reached: {error}") from error
    if response.status_code not in (200, 201):
        raise EnrolmentFailed(f"{server.url}: answered {response.status_code}: {response.text[:_DETAIL_MAX]}")
    try:
        return EnrolmentAnswer.model_validate_json(response.content)
    except ValidationError as error:
        raise EnrolmentFailed(f"{server.url}: answered something else than an enrolment; is it the server?") from error


def _public_key(answer: EnrolmentAnswer, where: str) -> bytes:
    try:
        key = base64.b64decode(answer.server_public_key, validate=True)
    except ValueError as error:
        raise BadInput(f"{where}: server_public_key: expected base64") from error
    if len(key) != KEY_BYTES:
        raise BadInput(f"{where}: server_public_key: expected {KEY_BYTES} bytes, found {len(key)}")
    return key
