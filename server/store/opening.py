"""Which store the settings name."""

from __future__ import annotations

from renzheng.errors import BadInput
from server.settings import ServerSettings
from server.store.base import ObjectStore
from server.store.local import LocalStore


def open_store(settings: ServerSettings) -> ObjectStore:
    """The store of the settings. Raises :class:`BadInput` for an address that is none."""
    if not settings.store_url:
        return LocalStore(settings.data_dir / "store")
    raise BadInput(f"store_url: expected s3://bucket/prefix, found {settings.store_url}")
