"""Where bytes lie that are too large for the database: a local folder, or an S3-compatible store."""

from server.store.base import NoSuchObject, ObjectStore
from server.store.opening import open_store

__all__ = ["NoSuchObject", "ObjectStore", "open_store"]
