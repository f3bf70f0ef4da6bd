"""What files promise beyond the contract: order of flushes, left-overs, and plain words when the disk fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hilum.storage import Blobs, BlobsUnavailable, open_blobs
from hilum.storage.files import FileBlobs


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "films"


def test_a_put_flushes_the_bytes_before_the_name_and_the_folder_after(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileBlobs(root)
    events: list[tuple[str, str]] = []
    real_fsync, real_replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        events.append(("flush", str(Path(f"/proc/self/fd/{descriptor}").readlink())))
        real_fsync(descriptor)

    def replace(self: Path, target: Path) -> Path:
        events.append(("rename", str(target)))
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    store.put("studies/1.2/film", b"content")

    names = [(what, str(Path(path).relative_to(root)) if ".tmp" not in path else "temporary") for what, path in events]
    assert names == [
        ("flush", "temporary"),
        ("flush", "."),  # the name of studies
        ("flush", "studies"),  # the name of 1.2
        ("rename", "studies/1.2/film"),
        ("flush", "studies/1.2"),
    ]


def test_left_over_temporary_files_go_at_the_next_start_and_never_show(root: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from hilum.storage.files import FileBlobs; import tempfile\n"
        "store = FileBlobs(Path(sys.argv[1])); store.put('kept', b'1')\n"
        "tempfile.mkstemp(dir=store._scratch); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, root], check=False)
    left = list((root / ".tmp").rglob("*"))
    assert [path for path in left if path.is_file()]

    store = FileBlobs(root)

    assert list(store.keys()) == ["kept"]
    assert not [path for path in (root / ".tmp").rglob("*") if path.is_file()]


def test_a_second_process_leaves_the_first_ones_temporary_files_alone(root: Path) -> None:
    first = FileBlobs(root)
    (first._scratch / "being-written").write_bytes(b"half")
    code = "import sys; from hilum.storage import open_blobs; open_blobs(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, root.as_uri()], check=True)
    assert (first._scratch / "being-written").read_bytes() == b"half"
    first.put("still/works", b"1")


def test_a_key_can_not_lie_below_another(root: Path) -> None:
    store = FileBlobs(root)
    store.put("a/film", b"1")
    with pytest.raises(ValueError, match="folder of another key"):
        store.put("a/film/part", b"2")
    with pytest.raises(ValueError, match="folder of another key"):
        store.put("a", b"2")
    assert list(store.keys()) == ["a/film"]


def test_a_full_disk_is_said_in_plain_words_and_leaves_nothing_behind(root: Path) -> None:
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from hilum.storage.files import FileBlobs; from hilum.storage import BlobsUnavailable\n"
        "store = FileBlobs(Path(sys.argv[1])); store.put('small', b'1' * 1000)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try: store.put('large', b'2' * 100_000)\n"
        "except BlobsUnavailable as error: print(error)\n"
        "store.put('small2', b'1' * 1000)\n"
        "print(sorted(store.keys()), list(store._scratch.iterdir()))"
    )
    done = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True, check=True)
    reason, rest = done.stdout.splitlines()
    assert reason == f"{root}: can't keep: File too large"
    assert rest == "['small', 'small2'] []"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_really_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    mounted = tmp_path / "disk"
    mounted.mkdir()
    arguments = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mounted]
    if subprocess.run(arguments, capture_output=True, check=False).returncode:
        pytest.skip("this container may not mount")
    try:
        store = FileBlobs(mounted / "films", minimum_free_bytes=100_000)
        store.check()
        with pytest.raises(BlobsUnavailable, match="No space left on device"):
            store.put("large", b"1" * 2_000_000)
        store.put("fits", b"1" * 1_020_000)
        with pytest.raises(BlobsUnavailable, match="only 0 MB free"):
            store.check()
        store.delete("fits")
        store.check()
        assert list(store.keys()) == []
    finally:
        subprocess.run(["umount", "--lazy", mounted], check=True)


def test_too_little_free_space_makes_the_store_not_ready(root: Path) -> None:
    with pytest.raises(BlobsUnavailable, match="MB free"):
        FileBlobs(root, minimum_free_bytes=10**18).check()


def test_a_folder_that_vanished_is_not_made_again(root: Path) -> None:
    store: Blobs = open_blobs(root.as_uri())
    store.put("a/film", b"1")
    shutil.rmtree(root)
    for call in (
        lambda: store.put("a/film", b"1"),
        lambda: store.get("a/film"),
        lambda: store.exists("a/film"),
        lambda: store.delete("a/film"),
        lambda: list(store.keys()),
        store.check,
    ):
        with pytest.raises(BlobsUnavailable, match="the folder is gone"):
            call()
    assert not root.exists()


def test_a_folder_removed_by_hand_is_made_again_at_the_next_try(root: Path) -> None:
    store = FileBlobs(root)
    store.put("a/b/film", b"1")
    shutil.rmtree(root / "a")
    with pytest.raises(BlobsUnavailable, match="No such file"):
        store.put("a/b/film", b"1")
    store.put("a/b/film", b"1")
    assert store.get("a/b/film") == b"1"


def test_a_folder_that_is_a_file_can_not_be_opened(root: Path) -> None:
    root.write_text("not a folder")
    with pytest.raises(BlobsUnavailable, match="can't open"):
        FileBlobs(root)
