"""The body of a delivery: bounded, unpacked, read once as a contract and once as the very text that was sent."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from pydantic_core import from_json, to_json

from renzheng.contracts import AgentReport, CheckDelivery, DeliveryBatch
from server.errors import ServerError, TooLarge, Unacceptable

MIB = 2**20
SENT_BYTES_MAX = 16 * MIB
UNPACKED_BYTES_MAX = 32 * MIB
"""A box sends 4 MiB at once, or one delivery that is larger alone."""

_GZIP = 16 + zlib.MAX_WBITS
_ERRORS_TOLD = 20


class UnknownEncoding(ServerError):
    """The body is not JSON, or is packed in another way than gzip."""

    status = 415


@dataclass(frozen=True)
class ReceivedCheck:
    """A check, and the very JSON it was sent as. ``digest`` is of that; pieces are not in it, because a box may be told
    between two tries that they must not leave it any more.
    """

    delivery: CheckDelivery
    body: str
    digest: str


@dataclass(frozen=True)
class ReceivedBatch:
    """``unfit`` are deliveries, by id, that no database can keep, with what was expected."""

    device_id: str
    checks: tuple[ReceivedCheck, ...]
    reports: tuple[AgentReport, ...]
    unfit: dict[str, str]


def unpacked(data: bytes, content_type: str, encoding: str) -> bytes:
    """The JSON text. Raises :class:`UnknownEncoding`, :class:`TooLarge`, :class:`Unacceptable` for half a gzip."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise UnknownEncoding("expected Content-Type application/json")
    if len(data) > SENT_BYTES_MAX:
        raise TooLarge(f"expected at most {SENT_BYTES_MAX // MIB} MiB at once")
    if encoding.strip().lower() in ("", "identity"):
        return data
    if encoding.strip().lower() != "gzip":
        raise UnknownEncoding("expected Content-Encoding gzip, or none")
    reader = zlib.decompressobj(_GZIP)
    try:
        text = reader.decompress(data, UNPACKED_BYTES_MAX + 1)
    except zlib.error as error:
        raise Unacceptable("body: expected gzip") from error
    if len(text) > UNPACKED_BYTES_MAX:
        raise TooLarge(f"expected at most {UNPACKED_BYTES_MAX // MIB} MiB when unpacked")
    if not reader.eof or reader.unused_data:
        raise Unacceptable("body: expected one whole gzip stream")
    return text


def read_batch(text: bytes) -> ReceivedBatch:
    """The batch. Raises :class:`RequestValidationError` that names each wrong field."""
    try:
        told = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise Unacceptable("body: expected JSON in UTF-8") from error
    try:
        batch = DeliveryBatch.model_validate(told)
    except ValidationError as error:
        raise _as_request_error(error) from error
    checks, unfit = [], {}
    for delivery, given in zip(batch.checks, told.get("checks", ()), strict=True):
        body = _storable(given["check"])
        if body is None:
            unfit[delivery.delivery_id] = _STORABLE.format("check")
        else:
            checks.append(ReceivedCheck(delivery, body, hashlib.sha256(body.encode()).hexdigest()))
    reports = []
    for report, given in zip(batch.reports, told.get("reports", ()), strict=True):
        if _storable(given) is None:
            unfit[report.report_id] = _STORABLE.format("report")
        else:
            reports.append(report)
    return ReceivedBatch(batch.device_id, tuple(checks), tuple(reports), unfit)


_STORABLE = "{}: expected finite numbers, and text without the character U+0000"


def _storable(given: dict[str, Any]) -> str | None:
    """The JSON text; ``None`` for what PostgreSQL's jsonb does not take."""
    text = to_json(given, inf_nan_mode="constants").decode()
    if "Infinity" in text or "NaN" in text:  # as numbers, or as words in a text
        try:
            json.dumps(given, allow_nan=False)
        except ValueError:
            return None
    return None if "\\u0000" in text else text


def _as_request_error(error: ValidationError) -> RequestValidationError:
    told = error.errors(include_url=False, include_context=False, include_input=False)[:_ERRORS_TOLD]
    return RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in told])
