"""Releases in a store of bytes: `<store>/<digest>/<file>`. A release is found by its digest and by nothing else.

The store is whatever `hilum.storage.open_blobs` opens: `s3://bucket/prefix` or `file:///folder`.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from pydantic import ValidationError

from hilum.release.bundle import MANIFEST_FILE, BadRelease, Release, read_release
from hilum.release.manifest import Manifest
from hilum.release.signing import SIGNATURE_FILE
from hilum.storage.blobs import BadKey, BlobMissing, Blobs

_DIGEST = re.compile(r"[0-9a-f]{64}")


def plain_digest(text: str) -> str:
    """64 hexadecimal digits, from `sha256:...` too; raises BadRelease."""
    digest = text.strip().removeprefix("sha256:")
    if not _DIGEST.fullmatch(digest):
        raise BadRelease(f"not a release's digest: {text[:80]!r}; 64 hexadecimal digits, or sha256: and these")
    return digest


def push_release(folder: Path, store: Blobs) -> Release:
    """Keep the release in `folder` under its digest, its manifest last, so that a half-kept one is never found.

    Raises BadRelease, BlobsUnavailable. The same release again changes nothing.
    """
    release = read_release(folder)
    names = [*sorted(release.manifest.files)]
    if (folder / SIGNATURE_FILE).is_file():
        names.append(SIGNATURE_FILE)
    for name in (*names, MANIFEST_FILE):
        key = f"{release.digest}/{name}"
        data = (folder / name).read_bytes() if name not in release.manifest.files else release.read(name)
        store.put(key, data)
    return release


def fetch_release(store: Blobs, digest: str, folder: Path, trusted: frozenset[str] | None) -> Release:
    """Bring the release `digest` into `folder`, which appears whole and verified or not at all.

    `trusted`: the keys of which one must have signed it; None: hashes are checked alone. A folder that holds this
    very release already is verified and kept. Raises BadRelease (with what to mend), BlobsUnavailable, OSError.
    """
    digest = plain_digest(digest)
    if folder.exists():
        return _verified(folder, digest, trusted)
    manifest = _manifest(store, digest)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        (part / MANIFEST_FILE).write_bytes(_get(store, digest, MANIFEST_FILE))
        for name in manifest.files:
            if Path(name).name != name:
                raise BadRelease(f"files: '{name}' is not a plain file name")
            (part / name).write_bytes(_get(store, digest, name))
        if trusted is not None:
            (part / SIGNATURE_FILE).write_bytes(_signature(store, digest))
        _verified(part, digest, trusted)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return _verified(folder, digest, trusted)


def _manifest(store: Blobs, digest: str) -> Manifest:
    """The manifest under `digest`, which must be that of its own content: nothing else is fetched for another one."""
    try:
        text = store.get(f"{digest}/{MANIFEST_FILE}")
    except BlobMissing:
        raise BadRelease(f"the store holds no release {digest}") from None
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise BadRelease(f"{MANIFEST_FILE} of {digest} can't be read: {error.errors()[0]['msg']}") from None
    if manifest.digest() != digest:
        raise BadRelease(f"under {digest} lies another release, {manifest.digest()}: damaged or changed")
    return manifest


def _get(store: Blobs, digest: str, name: str) -> bytes:
    try:
        return store.get(f"{digest}/{name}")
    except BlobMissing:
        raise BadRelease(f"{name} of release {digest} is missing from the store") from None
    except BadKey:
        raise BadRelease(f"files: '{name}' is not a plain file name") from None


def _signature(store: Blobs, digest: str) -> bytes:
    try:
        return store.get(f"{digest}/{SIGNATURE_FILE}")
    except BlobMissing:
        raise BadRelease("the release has no signature, and this site asks for one") from None


def _verified(folder: Path, digest: str, trusted: frozenset[str] | None) -> Release:
    release = read_release(folder, trusted)
    if release.digest != digest:
        raise BadRelease(f"{folder.name} holds release {release.digest}, and {digest} is asked for")
    return release
