"""The program that copies buckets, against a real S3 service."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.charts.tools import ROOT
from tests.fixtures.seaweed import ACCESS_KEY, SECRET_KEY, SeaweedServer


@pytest.fixture
def buckets(s3_server: SeaweedServer) -> Iterator[tuple[str, str]]:
    names = (s3_server.create_bucket(), s3_server.create_bucket())
    yield names
    for name in names:
        s3_server.remove_bucket(name)


def copied(server: SeaweedServer, source: str, target: str) -> subprocess.CompletedProcess[str]:
    stores = {f"{side}_{name}": value for side in ("FROM", "TO") for name, value in store(server).items()}
    command = [
        sys.executable,
        ROOT / "charts/platform/files/copy_buckets.py",
        f"s3://{source}/films=s3://{target}/kept",
    ]
    return subprocess.run(command, env={**os.environ, **stores}, capture_output=True, text=True, check=False)


def store(server: SeaweedServer) -> dict[str, str]:
    return {"ENDPOINT": server.endpoint, "KEY": ACCESS_KEY, "SECRET": SECRET_KEY}


def test_what_was_copied_stays_though_it_is_deleted_or_changed_at_its_source(
    s3_server: SeaweedServer, buckets: tuple[str, str]
) -> None:
    source, target = buckets
    s3 = s3_server.client()
    for name in ("a", "b"):
        s3.put_object(Bucket=source, Key=f"films/{name}", Body=name.encode() * 3)
    first = copied(s3_server, source, target)
    assert (first.returncode, "2 copied, 2 there" in first.stdout) == (0, True), first.stdout + first.stderr
    s3.delete_object(Bucket=source, Key="films/a")
    s3.put_object(Bucket=source, Key="films/c", Body=b"new")
    again = copied(s3_server, source, target)
    assert "1 copied, 2 there" in again.stdout, again.stdout + again.stderr
    s3.put_object(Bucket=source, Key="films/b", Body=b"something else")
    last = copied(s3_server, source, target)
    assert last.returncode == 1
    assert f"NOT copied, the copy has another object of this name: {target}/kept/b" in last.stdout
    held = {name: s3.get_object(Bucket=target, Key=f"kept/{name}")["Body"].read() for name in ("a", "b", "c")}
    assert held == {"a": b"aaa", "b": b"bbb", "c": b"new"}
