"""What S3 adds: dead endpoints, missing buckets, wrong keys, each in plain words."""

from __future__ import annotations

import pytest

from hilum.storage import BlobMissing, Blobs, BlobsUnavailable, open_blobs
from tests.conftest import S3
from tests.fixtures.ports import free_ports
from tests.fixtures.real import cannot_start
from tests.fixtures.seaweed import SeaweedServer


def _every_call_says(blobs: Blobs, words: str) -> None:
    for call in (
        lambda: blobs.put("a/film", b"1"),
        lambda: blobs.get("a/film"),
        lambda: blobs.exists("a/film"),
        lambda: list(blobs.keys()),
        blobs.check,
    ):
        with pytest.raises(BlobsUnavailable, match=words):
            call()


def test_a_missing_bucket_is_not_taken_for_missing_blobs(s3: S3) -> None:
    _every_call_says(open_blobs("s3://no-such-bucket/films", s3.endpoint), "the bucket doesn't exist")


def test_a_dead_endpoint_is_said_in_plain_words(aws_keys: None) -> None:
    endpoint = f"http://127.0.0.1:{free_ports(1)[0]}"
    _every_call_says(open_blobs("s3://films", endpoint), "EndpointConnectionError")


def test_wrong_keys_of_access_are_named_and_not_shown(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
    with pytest.raises(BlobsUnavailable, match="the service refuses") as refused:
        open_blobs(s3.url, s3.endpoint).put("a/film", b"1")
    assert "not-the-secret" not in str(refused.value)


def test_without_keys_of_access_nothing_is_kept(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(BlobsUnavailable, match="NoCredentialsError"):
        open_blobs(s3.url, s3.endpoint).put("a/film", b"1")


def test_two_prefixes_of_one_bucket_do_not_see_each_other(s3: S3) -> None:
    first = open_blobs(f"s3://{s3.bucket}/first", s3.endpoint)
    second = open_blobs(f"s3://{s3.bucket}/second/", s3.endpoint)
    whole = open_blobs(f"s3://{s3.bucket}", s3.endpoint)
    first.put("film", b"1")
    assert list(second.keys()) == []
    with pytest.raises(BlobMissing):
        second.get("film")
    assert list(whole.keys()) == ["first/film"]


@pytest.mark.slow
def test_a_service_that_stops_and_comes_back_is_used_again(aws_keys: None) -> None:
    server = SeaweedServer()
    try:
        server.start()
    except RuntimeError as error:
        cannot_start("SeaweedFS", error)
    try:
        blobs = open_blobs(f"s3://{server.create_bucket()}", server.endpoint)
        blobs.put("before", b"1")
        server.stop()
        with pytest.raises(BlobsUnavailable):
            blobs.put("during", b"2")
        server.start()
        assert blobs.get("before") == b"1"
        blobs.put("after", b"3")
        assert sorted(blobs.keys()) == ["after", "before"]
    finally:
        server.remove()
