"""Which store the settings name."""

from __future__ import annotations

import re

from pydantic import SecretStr

from renzheng.errors import BadInput, MissingPart
from server.settings import ServerSettings
from server.store.base import ObjectStore
from server.store.local import LocalStore

_S3 = re.compile(r"s3://(?P<bucket>[A-Za-z0-9][A-Za-z0-9.-]{1,61}[A-Za-z0-9])(/(?P<prefix>[A-Za-z0-9._/-]*))?")


def open_store(settings: ServerSettings) -> ObjectStore:
    """The store of the settings. Raises :class:`BadInput` for an address that is none, :class:`MissingPart`."""
    if not settings.store_url:
        return LocalStore(settings.data_dir / "store")
    address = _S3.fullmatch(settings.store_url)
    if address is None:
        raise BadInput(f"store_url: expected s3://bucket/prefix, found {settings.store_url}")
    try:
        from server.store.s3 import S3Store
    except ImportError as error:
        raise MissingPart("store_url: an S3 store needs boto3: pip install 'renzheng[s3]'") from error
    return S3Store(
        address["bucket"],
        address["prefix"] or "",
        endpoint_url=settings.s3_endpoint_url,
        access_key=_plain(settings.s3_access_key),
        secret_key=_plain(settings.s3_secret_key),
    )


def _plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
