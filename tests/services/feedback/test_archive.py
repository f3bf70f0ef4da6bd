"""Objects and signed heads beside the rows: what was cut off, rewritten or forged is found out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hilum.release.signing import public_text
from hilum.storage import Blobs, open_blobs
from services.feedback.archive import NotImmutable, archive, export_heads, ledger_key, object_key
from services.feedback.lease import Lease, LeaseLost
from services.feedback.ledger import Ledger
from services.feedback.verify import verify
from tests.fixtures.reads import a_read
from tests.services.feedback.conftest import Post

TOMORROW = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return open_blobs((tmp_path / "newdata").as_uri())


def wrong(ledger: Ledger, blobs: Blobs, trusted: frozenset[str] = frozenset()) -> list[str]:
    return [found.text for found in verify(ledger, blobs, trusted) if not found.ok]


def kept(post: Post, count: int, first: int = 1) -> None:
    for number in range(first, first + count):
        post(a_read(number, labels={"Effusion": 1}), key=f"key-{number}")


def test_each_read_becomes_one_object_that_is_written_once(ledger: Ledger, post: Post, blobs: Blobs) -> None:
    kept(post, 3)
    assert archive(ledger, blobs) == 3
    kept(post, 2, first=4)
    assert archive(ledger, blobs) == 2
    assert archive(ledger, blobs) == 0
    assert sorted(blobs.keys("ledger/reads/")) == [object_key(n) for n in range(1, 6)]
    assert wrong(ledger, blobs) == []


def test_an_object_that_differs_is_neither_overwritten_nor_passed_over(
    ledger: Ledger, post: Post, blobs: Blobs
) -> None:
    kept(post, 1)
    blobs.put(object_key(1), b"something else")
    with pytest.raises(NotImmutable, match="not what the ledger holds"):
        archive(ledger, blobs)
    assert blobs.get(object_key(1)) == b"something else"
    assert any("not the ledger's read 1" in text for text in wrong(ledger, blobs))


def test_an_end_that_was_cut_off_is_found_by_the_objects_and_by_the_head(
    ledger: Ledger, post: Post, blobs: Blobs, tmp_path: Path
) -> None:
    kept(post, 2)
    key = ledger_key(tmp_path / "key.pem")
    archive(ledger, blobs)
    assert export_heads(ledger, blobs, key, TOMORROW) == 1
    # A ledger that holds as a chain, but lacks the second read: as after a backup was put back.
    blobs.put(object_key(3), b"{}")
    assert any("reads have an object and no row" in text for text in wrong(ledger, blobs))
    blobs.delete(object_key(3))
    (name,) = blobs.keys("ledger/heads/")
    held = json.loads(blobs.get(name))
    assert held["head"]["sequence"] == 2
    held["head"]["sequence"] = 7
    blobs.put(name, json.dumps(held).encode())
    assert any("signature does not fit" in text for text in wrong(ledger, blobs))


def test_a_days_head_is_signed_once_the_day_is_over_and_by_a_trusted_key(
    ledger: Ledger, post: Post, blobs: Blobs, tmp_path: Path
) -> None:
    key = ledger_key(tmp_path / "made" / "key.pem")
    assert (tmp_path / "made" / "key.pem").stat().st_mode & 0o077 == 0
    assert export_heads(ledger, blobs, key, TOMORROW) == 0
    kept(post, 1)
    assert export_heads(ledger, blobs, key, datetime.now(UTC)) == 0
    assert export_heads(ledger, blobs, key, TOMORROW) == 1
    assert export_heads(ledger, blobs, key, TOMORROW) == 0
    # A read of a later day leaves the signed one as it is.
    kept(post, 1, first=2)
    assert wrong(ledger, blobs, frozenset({public_text(key)})) == []
    stranger = public_text(ledger_key(tmp_path / "other.pem"))
    assert any("not trusted" in text for text in wrong(ledger, blobs, frozenset({stranger})))


def test_two_processes_never_do_the_same_work_at_once(ledger: Ledger) -> None:
    first, second = Lease(ledger, "compaction"), Lease(ledger, "compaction")
    assert first.take() == (0, "")
    assert second.take() is None
    assert Lease(ledger, "heads").take() == (0, "")
    first.go_on(5, done=True)
    assert second.take() == (5, "")
    with pytest.raises(LeaseLost):
        first.go_on(6)
