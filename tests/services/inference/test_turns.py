"""Clients take turns."""

from __future__ import annotations

import pytest

from services.inference.turns import Turns


def filled() -> Turns[str]:
    turns: Turns[str] = Turns()
    for item in ("a1", "a2", "a3", "b1", "c1", "c2"):
        turns.push(item[0], item)
    return turns


def test_each_client_in_turn_gives_one_item_and_within_a_client_the_first_comes_first() -> None:
    turns = filled()
    assert list(iter(turns.pop, None)) == ["a1", "b1", "c1", "a2", "c2", "a3"]
    assert len(turns) == 0


def test_who_has_fewer_items_waits_for_fewer() -> None:
    turns = filled()
    assert [turns.before(name) for name in ("a", "b", "c", "new")] == [6, 5, 6, 3]


def test_the_newest_item_of_the_longest_line_can_be_taken_back() -> None:
    turns = filled()
    assert turns.longest() == "a"
    assert turns.pop_last("a") == "a3"
    assert list(iter(turns.pop, None)) == ["a1", "b1", "c1", "a2", "c2"]


def test_an_item_taken_out_is_not_given_and_can_not_be_taken_out_twice() -> None:
    turns = filled()
    assert turns.remove("b", "b1")
    assert not turns.remove("b", "b1")
    assert list(iter(turns.pop, None)) == ["a1", "c1", "a2", "c2", "a3"]
    with pytest.raises(ValueError, match="empty"):
        turns.longest()
