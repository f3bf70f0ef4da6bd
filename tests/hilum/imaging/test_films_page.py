"""docs/films.md names every refusal with its status, and every warning."""

from __future__ import annotations

import re

import pytest

from hilum.imaging import BadFilm, Limits, errors
from tests.hilum.imaging.bodies import ROOT

PAGE = (ROOT / "docs/films.md").read_text(encoding="utf-8")
REFUSALS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, BadFilm) and kind is not BadFilm
]


@pytest.mark.parametrize("kind", REFUSALS, ids=lambda kind: kind.__name__)
def test_a_refusal_is_documented_with_its_status(kind: type[BadFilm]) -> None:
    assert f"| {kind.title} | {kind.status} |" in PAGE


def test_every_warning_is_documented_and_no_other() -> None:
    given: set[str] = set()
    for path in (ROOT / "hilum/imaging").rglob("*.py"):
        given |= set(re.findall(r'(?:FilmWarning|warn)\(\s*"([a-z0-9_]+)"', path.read_text(encoding="utf-8")))
    table = PAGE.split("## Remarked on")[1].split("##")[0]
    assert given == {
        code for row in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE) for code in re.findall(r"`(\w+)`", row)
    }


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    limits = Limits()
    assert f"{limits.max_pixels // 1_000_000} million pixels" in PAGE
    assert f"past {limits.max_inflated_bytes >> 20} MB" in PAGE
    assert f"under {limits.min_side} pixels" in PAGE
