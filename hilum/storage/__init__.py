"""Where things are kept: bytes in files or S3 (`blobs`), rows in SQLite or PostgreSQL (`database`, `migrate`)."""

from hilum.storage.blobs import BadKey, BlobMissing, Blobs, BlobsUnavailable
from hilum.storage.database import (
    NAMING,
    DatabaseUnavailable,
    UtcDateTime,
    check,
    make_engine,
    plain_errors,
    reading,
    session_factory,
    writer_lock,
)
from hilum.storage.migrate import pending, upgrade
from hilum.storage.open import open_blobs

__all__ = [
    "NAMING",
    "BadKey",
    "BlobMissing",
    "Blobs",
    "BlobsUnavailable",
    "DatabaseUnavailable",
    "UtcDateTime",
    "check",
    "make_engine",
    "open_blobs",
    "pending",
    "plain_errors",
    "reading",
    "session_factory",
    "upgrade",
    "writer_lock",
]
