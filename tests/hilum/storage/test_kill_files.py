"""A process that keeps blobs is killed at any moment: what it acknowledged is there, whole, and nothing half is."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hilum.storage import open_blobs

KILLS = int(os.environ.get("HILUM_KILLS", "20"))
# Writes blobs of many sizes by four threads, says each key once it is kept, until it is killed.
CHILD = """
import hashlib, os, random, sys, threading
from hilum.storage import open_blobs
store, life = open_blobs(sys.argv[1]), sys.argv[2]
def work(thread):
    while True:
        data = os.urandom(random.choice((10, 5_000, 300_000, 2_000_000)))
        key = f"{life}/{thread}/{hashlib.sha256(data).hexdigest()}"
        store.put(key, data)
        os.write(1, f"kept {key}\\n".encode())
for thread in range(4):
    threading.Thread(target=work, args=(thread,), daemon=False).start()
"""


@pytest.mark.slow
def test_no_acknowledged_blob_is_lost_or_half(tmp_path: Path) -> None:
    url = (tmp_path / "films").as_uri()
    chance = random.Random(20261121)
    acknowledged: set[str] = set()
    for life in range(KILLS):
        child = subprocess.Popen([sys.executable, "-c", CHILD, url, str(life)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        # The service's own log may come first.
        first = b""
        while b"kept" not in first:
            line = child.stdout.readline()
            assert line, "the child ended by itself"
            first += line
        time.sleep(chance.uniform(0, 0.1))
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read()
        child.wait()
        # A last line without its end was not said in full.
        lines = (first + rest).decode().split("\n")[:-1]
        acknowledged.update(line.removeprefix("kept ") for line in lines if line.startswith("kept "))
    store = open_blobs(url)
    kept = set(store.keys())
    assert len(acknowledged) > KILLS
    assert acknowledged <= kept
    # Also those it had no time to acknowledge: the whole blob, by the hash in its name, or nothing.
    assert all(hashlib.sha256(store.get(key)).hexdigest() == key.rpartition("/")[2] for key in kept)
    assert not [path for path in (tmp_path / "films" / ".tmp").rglob("*") if path.is_file()]
