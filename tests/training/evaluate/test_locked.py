"""Uses of the locked films are counted, and the same look is not taken twice by accident."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.data.manifest import Film
from training.evaluate.locked import DEFAULT, BadLedger, LockedUsed, data_digest, use, uses


def test_a_variant_is_refused_on_the_same_films_a_second_time(tmp_path: Path) -> None:
    ledger = tmp_path / "uses.jsonl"
    use(ledger, "a 1", "v1", "d1", "hilum evaluate", "")
    with pytest.raises(LockedUsed, match=r"a 1.*--again.*--why"):
        use(ledger, "a 1", "v1", "d1", "hilum evaluate", "")
    use(ledger, "a 2", "v2", "d1", "hilum evaluate", "")
    use(ledger, "a 1", "v1", "d2", "hilum evaluate", "")
    assert len(uses(ledger)) == 3


def test_again_asks_for_a_reason_and_keeps_it(tmp_path: Path) -> None:
    ledger = tmp_path / "uses.jsonl"
    use(ledger, "a 1", "v1", "d1", "hilum evaluate", "")
    with pytest.raises(LockedUsed):
        use(ledger, "a 1", "v1", "d1", "hilum evaluate", "  ", again=True)
    use(ledger, "a 1", "v1", "d1", "hilum evaluate", "another threshold", again=True)
    assert [u.why for u in uses(ledger)] == ["evaluation of a new variant", "another threshold"]


def test_a_damaged_ledger_is_named_by_file_and_line(tmp_path: Path) -> None:
    ledger = tmp_path / "uses.jsonl"
    use(ledger, "a 1", "v1", "d1", "hilum evaluate", "")
    with ledger.open("a", encoding="utf-8") as stream:
        stream.write("{half a li\n")
    with pytest.raises(BadLedger, match=r"uses\.jsonl, line 2.*Git"):
        use(ledger, "b 1", "v9", "d1", "hilum evaluate", "")


def test_the_same_films_are_the_same_data_in_any_order_and_under_other_labels() -> None:
    one = Film("a", Path("a"), "00", "nih", "nih:1", (1, None))
    two = Film("b", Path("b"), "11", "nih", "nih:2", (0, 1))
    relabelled = Film("b", Path("b"), "11", "nih", "nih:2", (1, 1))
    other = Film("b", Path("b"), "22", "nih", "nih:2", (0, 1))
    assert data_digest([one, two]) == data_digest([two, one])
    assert data_digest([one, two]) == data_digest([one, relabelled])
    assert data_digest([one, two]) != data_digest([one, other])


def test_the_repository_s_ledger_reads() -> None:
    assert [u.release for u in uses(DEFAULT)][:3] == [
        "hilum-default 0.1.0",
        "hilum-default 1.0.0",
        "hilum-default 1.0.1",
    ]
