"""From a URL to a store of bytes."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from hilum.storage.blobs import Blobs
from hilum.storage.files import FileBlobs


def open_blobs(url: str, s3_endpoint: str = "") -> Blobs:
    """The store at `url`: `file:///folder` (created) or `s3://bucket/prefix` (must exist; reached when first used).

    Raises ValueError for another URL, BlobsUnavailable where the folder can't be made.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path.startswith("/"):
        return FileBlobs(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.netloc:
        # Imported where it is used: boto3 takes longer to load than all else here, and a laptop has no S3.
        from hilum.storage.s3 import S3Blobs  # noqa: PLC0415

        return S3Blobs(parts.netloc, parts.path, s3_endpoint)
    raise ValueError(f"not a store of bytes: {url!r}; file:///folder or s3://bucket/prefix")
