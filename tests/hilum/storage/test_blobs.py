"""The contract of the store of bytes, on files and on a real S3 service."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from hilum.storage import BadKey, BlobMissing, Blobs, open_blobs


def test_what_was_put_comes_back_whole(blobs: Blobs) -> None:
    large = os.urandom(9_000_000)
    blobs.put("studies/1.2.840/film.dcm", large)
    blobs.put("studies/1.2.840/empty", b"")
    assert blobs.get("studies/1.2.840/film.dcm") == large
    assert blobs.get("studies/1.2.840/empty") == b""
    assert blobs.exists("studies/1.2.840/film.dcm")


def test_the_same_put_twice_changes_nothing(blobs: Blobs) -> None:
    blobs.put("a/film", b"content")
    blobs.put("a/film", b"content")
    assert blobs.get("a/film") == b"content"
    assert list(blobs.keys()) == ["a/film"]


def test_other_content_replaces_the_blob(blobs: Blobs) -> None:
    blobs.put("a/film", b"first, and longer")
    blobs.put("a/film", b"second")
    assert blobs.get("a/film") == b"second"


def test_a_missing_blob_is_named(blobs: Blobs) -> None:
    assert not blobs.exists("a/film")
    with pytest.raises(BlobMissing, match="a/film"):
        blobs.get("a/film")


def test_a_folder_is_no_blob(blobs: Blobs) -> None:
    blobs.put("a/b/film", b"1")
    assert not blobs.exists("a/b")
    with pytest.raises(BlobMissing):
        blobs.get("a/b")
    blobs.delete("a/b")
    assert blobs.get("a/b/film") == b"1"


def test_a_blob_can_be_deleted_twice(blobs: Blobs) -> None:
    blobs.put("a/film", b"1")
    blobs.delete("a/film")
    blobs.delete("a/film")
    assert not blobs.exists("a/film")
    assert list(blobs.keys()) == []


def test_keys_come_once_and_by_prefix(blobs: Blobs) -> None:
    keys = ["a-b", "a/b.x", "a/b/c", "a/b/d", "a/bc", "b"]
    for key in keys:
        blobs.put(key, b"1")
    assert sorted(blobs.keys()) == keys
    assert sorted(blobs.keys("a/b/")) == ["a/b/c", "a/b/d"]
    assert sorted(blobs.keys("a/b")) == ["a/b.x", "a/b/c", "a/b/d", "a/bc"]
    assert list(blobs.keys("nothing/here")) == []


def test_more_keys_than_one_page_of_a_listing_all_come(blobs: Blobs) -> None:
    keys = [f"films/{n:05}" for n in range(1_050)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda key: blobs.put(key, b"1"), keys))
    assert sorted(blobs.keys("films/")) == keys


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "..",
        "a/../b",
        "../a",
        "a/..",
        ".hidden",
        "a/.tmp/x",
        "a\\b",
        "a b",
        "a\x00b",
        "ä",
        "a\n",
        "a" * 201,
        "/".join(["abc"] * 200),
    ],
)
def test_a_key_that_could_leave_the_store_is_refused_by_every_call(blobs: Blobs, key: str) -> None:
    for call in (lambda: blobs.put(key, b"1"), lambda: blobs.get(key), lambda: blobs.exists(key)):
        with pytest.raises(BadKey):
            call()
    with pytest.raises(BadKey):
        blobs.delete(key)


@pytest.mark.parametrize("prefix", ["/", "../", "a//", ".tmp/", "a/../"])
def test_a_prefix_that_could_leave_the_store_is_refused(blobs: Blobs, prefix: str) -> None:
    with pytest.raises(BadKey):
        list(blobs.keys(prefix))


def test_many_threads_put_the_same_and_other_keys(blobs: Blobs) -> None:
    def put(number: int) -> None:
        blobs.put(f"own/{number}", str(number).encode() * 1000)
        blobs.put("shared/film", b"the same content")

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(put, range(64)))
    assert sorted(blobs.keys("own/")) == sorted(f"own/{n}" for n in range(64))
    assert all(blobs.get(f"own/{n}") == str(n).encode() * 1000 for n in range(64))
    assert blobs.get("shared/film") == b"the same content"


def test_a_working_store_is_ready(blobs: Blobs) -> None:
    blobs.check()
    assert list(blobs.keys()) == []


@pytest.mark.parametrize("url", ["", "films", "/data/films", "file://host/films", "http://host/films", "s3://"])
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not a store of bytes"):
        open_blobs(url)
