"""Objects of an S3-compatible store, through boto3 (``renzheng[s3]``)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from renzheng.errors import StorageFull
from server.errors import Unavailable
from server.store.base import NoSuchObject

REGION = "us-east-1"
"""What stores of one place expect; Amazon's own is set by ``AWS_DEFAULT_REGION``, which comes first."""

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
TRIES = 3
PART_BYTES = 16 * 2**20
_BLOCK_BYTES = 256 * 2**10

_NOTHING_THERE = {"NoSuchKey", "404", "NotFound"}
_BEYOND_THE_END = {"InvalidRange", "416"}
_NO_ROOM = {"QuotaExceeded", "XMinioStorageFull", "InsufficientCapacity", "EntityTooLarge", "507"}


@contextmanager
def _store_errors(key: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = _code(error)
        if code in _NOTHING_THERE:
            raise NoSuchObject(f"the store has nothing under {key}") from error
        if code in _NO_ROOM:
            raise StorageFull(f"{key}: the store has no room ({code})") from error
        raise Unavailable(f"the store does not answer as it should ({code})") from error
    except BotoCoreError as error:
        raise Unavailable(f"the store does not answer now ({type(error).__name__})") from error


class S3Store:
    """A bucket, or what lies under a prefix of it; see :class:`ObjectStore`."""

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint_url: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        read_timeout_s: float = READ_TIMEOUT_S,
        tries: int = TRIES,
    ) -> None:
        """Without keys, those that boto3 finds in the environment. The bucket has to be there."""
        self._bucket, self._prefix = bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        session = boto3.session.Session()
        self._client = session.client(
            "s3",
            endpoint_url=endpoint_url,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            region_name=session.region_name or REGION,
            config=Config(
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=read_timeout_s,
                retries={"total_max_attempts": tries, "mode": "standard"},
                s3={"addressing_style": "path" if endpoint_url else "auto"},
                request_checksum_calculation="when_required",  # not every compatible store knows the newer ones
                response_checksum_validation="when_required",
            ),
        )
        self._parts = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=4)

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"{self._prefix}{key}"}

    def put(self, key: str, data: bytes) -> None:
        """See :class:`ObjectStore`."""
        with _store_errors(key):
            self._client.put_object(**self._at(key), Body=data)

    def put_file(self, key: str, path: Path) -> None:
        """See :class:`ObjectStore`. A large file goes in parts, and is there when the last one is."""
        with _store_errors(key), path.open("rb") as stream:
            self._client.upload_fileobj(stream, **self._at(key), Config=self._parts)

    def get(self, key: str) -> bytes:
        """See :class:`ObjectStore`."""
        with self.open(key) as stream:
            return stream.read()

    def open(self, key: str, start: int = 0, length: int | None = None) -> BinaryIO:
        """See :class:`ObjectStore`."""
        if length == 0:
            return io.BytesIO()
        told = {"Range": f"bytes={start}-{'' if length is None else start + length - 1}"}
        try:
            with _store_errors(key):
                return _stream(key, self._client.get_object(**self._at(key), **(told if start or length else {})))
        except Unavailable as error:
            if isinstance(error.__cause__, ClientError) and _code(error.__cause__) in _BEYOND_THE_END:
                return io.BytesIO()
            raise

    def size(self, key: str) -> int:
        """See :class:`ObjectStore`."""
        with _store_errors(key):
            return int(self._client.head_object(**self._at(key))["ContentLength"])

    def delete(self, key: str) -> None:
        """See :class:`ObjectStore`."""
        with _store_errors(key):
            self._client.delete_object(**self._at(key))

    def keys(self, prefix: str = "") -> Iterator[str]:
        """See :class:`ObjectStore`."""
        pages = self._client.get_paginator("list_objects_v2")
        with _store_errors(prefix):
            for page in pages.paginate(Bucket=self._bucket, Prefix=f"{self._prefix}{prefix}"):
                for one in page.get("Contents", ()):
                    yield str(one["Key"])[len(self._prefix) :]

    def check(self) -> None:
        """See :class:`ObjectStore`."""
        self.put("probe", b"probe")
        self.delete("probe")


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _stream(key: str, answer: dict[str, Any]) -> BinaryIO:
    return io.BufferedReader(_Body(key, answer["Body"]), _BLOCK_BYTES)


class _Body(io.RawIOBase):
    """An answer's body as a file; a line that breaks is a store that does not answer."""

    def __init__(self, key: str, body: Any) -> None:
        super().__init__()
        self._key, self._body = key, body

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Bytes read; 0 at the end."""
        with _store_errors(self._key):
            data = self._body.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Give the connection back."""
        if not self.closed:
            self._body.close()
        super().close()
