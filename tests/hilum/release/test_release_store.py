"""A release moves by its digest: what comes out of the store is what was put in, or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hilum.release import BadRelease, Release
from hilum.release.signing import new_key, public_text
from hilum.release.store import fetch_release, push_release
from hilum.storage import Blobs, open_blobs
from tests.releases import make_tiny_release, trust

KEY = new_key()


@pytest.fixture
def store(tmp_path: Path) -> Blobs:
    return open_blobs((tmp_path / "store").as_uri())


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return make_tiny_release(tmp_path / "made", key=KEY)


def fetching(tmp_path: Path, digest: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "HILUM_RELEASE_STORE": (tmp_path / "store").as_uri(),
        "HILUM_RELEASE_DIGEST": digest,
        "HILUM_RELEASE": str(tmp_path / "pod" / "release"),
        "HILUM_TRUSTED_KEYS": str(trust(tmp_path / "keys.txt", KEY)),
        **more,
    }
    command = [sys.executable, "-m", "hilum.release.fetch"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_release_comes_back_from_the_store_as_it_was_put_there(
    tmp_path: Path, store: Blobs, release: Release
) -> None:
    push_release(release.folder, store)
    fetched = fetch_release(store, f"sha256:{release.digest}", tmp_path / "pod", frozenset({public_text(KEY)}))
    assert (fetched.digest, fetched.signed_by) == (release.digest, public_text(KEY))
    assert {p.name: p.read_bytes() for p in fetched.folder.iterdir()} == {
        p.name: p.read_bytes() for p in release.folder.iterdir()
    }


def test_a_pod_that_starts_again_finds_its_release_and_verifies_it(
    tmp_path: Path, store: Blobs, release: Release
) -> None:
    push_release(release.folder, store)
    first = fetch_release(store, release.digest, tmp_path / "pod", None)
    empty = open_blobs((tmp_path / "empty").as_uri())
    assert fetch_release(empty, release.digest, tmp_path / "pod", None).digest == first.digest
    (tmp_path / "pod" / "domain.npz").write_bytes(b"changed")
    with pytest.raises(BadRelease, match=r"domain\.npz has another sha256"):
        fetch_release(empty, release.digest, tmp_path / "pod", None)


@pytest.mark.parametrize("name", ["model-fp32.onnx", "MODEL_CARD.md", "signature.json"])
def test_a_file_missing_from_the_store_is_named_and_nothing_is_left_behind(
    tmp_path: Path, store: Blobs, release: Release, name: str
) -> None:
    push_release(release.folder, store)
    store.delete(f"{release.digest}/{name}")
    with pytest.raises(BadRelease, match=r"missing from the store|no signature"):
        fetch_release(store, release.digest, tmp_path / "pod", frozenset({public_text(KEY)}))
    assert [p.name for p in tmp_path.iterdir() if "pod" in p.name] == []


def test_a_manifest_under_another_ones_digest_is_refused(tmp_path: Path, store: Blobs, release: Release) -> None:
    other = make_tiny_release(tmp_path / "other", version="2.0.0", key=KEY)
    push_release(release.folder, store)
    push_release(other.folder, store)
    store.put(f"{release.digest}/manifest.json", store.get(f"{other.digest}/manifest.json"))
    with pytest.raises(BadRelease, match="lies another release"):
        fetch_release(store, release.digest, tmp_path / "pod", None)


def test_the_init_container_says_what_it_brought(tmp_path: Path, store: Blobs, release: Release) -> None:
    push_release(release.folder, store)
    done = fetching(tmp_path, release.digest)
    assert done.returncode == 0, done.stderr
    assert f"{release.digest} (signed by {public_text(KEY)})" in done.stdout


def test_the_init_containers_last_line_says_what_is_wrong(tmp_path: Path) -> None:
    unknown = fetching(tmp_path, "0" * 64)
    assert unknown.returncode == 1
    assert unknown.stderr.splitlines()[-1] == f"release refused: the store holds no release {'0' * 64}"


def test_a_folder_that_cannot_be_written_is_told_as_such(tmp_path: Path, store: Blobs, release: Release) -> None:
    push_release(release.folder, store)
    (tmp_path / "pod").write_text("a file where the folder should be", encoding="utf-8")
    done = fetching(tmp_path, release.digest)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("release refused:")
    assert "Traceback" not in done.stderr
