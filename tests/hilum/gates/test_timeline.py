"""The drawing of a promotion's steps on the page of its record."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hilum.gates.page import page
from hilum.gates.timeline import TIMELINE, entry, length, timeline
from tests.hilum.gates.test_record import START, check, record


def test_each_step_is_a_bar_as_long_as_it_took_and_the_last_ends_with_the_record() -> None:
    steps = [entry(START, "staging"), entry(START + timedelta(seconds=60), "canary <shadow>")]
    drawn = timeline(record(check(), figures={TIMELINE: steps}))
    assert drawn is not None
    assert drawn.count("<rect") == 2
    assert ">60 s<" not in drawn
    assert ">1.0 min<" in drawn
    assert ">30 s<" in drawn
    assert "1.5 min in all" in drawn
    assert "canary &lt;shadow&gt;" in drawn


def test_the_page_has_it_where_the_record_tells_steps_and_else_not() -> None:
    assert "Timeline" in page(record(check(), figures={TIMELINE: [entry(START, "staging")]}))
    assert "Timeline" not in page(record(check()))


def test_a_step_that_begins_after_the_record_ended_is_drawn_without_length() -> None:
    late = record(check(), figures={TIMELINE: [entry(START + timedelta(days=1), "guarded")]})
    assert ">0 s<" in str(timeline(late))


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.25, "0.25 s"), (59, "59 s"), (90, "1.5 min"), (5400, "1.5 h"), (183_600, "2.1 d")]
)
def test_lengths_are_told_in_the_largest_unit_that_fits(seconds: float, words: str) -> None:
    assert length(seconds) == words
