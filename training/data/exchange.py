"""A store's shards to and from a folder or `s3://bucket/prefix`, so that one machine decodes for all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from hilum.storage.blobs import Blobs, BlobsUnavailable
from hilum.storage.open import open_blobs
from training.data.manifest import BadData
from training.data.place import write_whole
from training.data.shards import FrameStore

Tick = Callable[[int], None]


def open_target(url: str) -> Blobs:
    """`s3://bucket/prefix` (endpoint HILUM_S3_ENDPOINT, keys AWS_*) or a folder; raises BadData."""
    try:
        return open_blobs(
            url if "://" in url else Path(url).absolute().as_uri(), os.environ.get("HILUM_S3_ENDPOINT", "")
        )
    except (ValueError, BlobsUnavailable) as error:
        raise BadData(f"{url}: {error}") from error


def push(store: FrameStore, target: Blobs, tick: Tick = lambda count: None) -> int:
    """Copy the shards that `target` has not, data before index; returns how many. Raises BadData."""
    copied = 0
    try:
        there = set(target.keys(store.folder.name))
        for path in store.files():
            key = f"{store.folder.name}/{path.name}"
            if key not in there:
                target.put(key, path.read_bytes())
                copied += path.suffix == ".json"
            tick(1)
    except (BlobsUnavailable, OSError) as error:
        raise BadData(f"the store can't be copied: {error}") from error
    return copied


def pull(store: FrameStore, target: Blobs, tick: Tick = lambda count: None) -> int:
    """Copy the shards that `store` has not, each checked against its sha256; returns how many. Raises BadData."""
    copied = 0
    try:
        for key in sorted(key for key in target.keys(store.folder.name) if key.endswith(".json")):
            label = store.folder / key.rpartition("/")[2]
            if not label.is_file():
                index = target.get(key)
                data = target.get(key.removesuffix(".json") + ".npy")
                check = f'"sha256": "{hashlib.sha256(data).hexdigest()}"'
                if check.encode() not in index:
                    raise BadData(f"{key}: the frames are not those of the index: remove both there and push again")
                write_whole(label.with_suffix(".npy"), data)
                write_whole(label, index)
                copied += 1
            tick(1)
    except (BlobsUnavailable, KeyError) as error:
        raise BadData(f"the store can't be fetched: {error}") from error
    return copied
