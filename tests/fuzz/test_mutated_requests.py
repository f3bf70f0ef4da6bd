"""A few hundred of the mutated requests, the bombs and a small flood; `make fuzz` sends them all.

Real process, real sockets. Every answer is judged by `bench.fuzz.judge`: what it lets pass is what is tested here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from bench.fuzz import Result, Target, flood, judge, running, send, still_sound
from bench.fuzz_bodies import MAKERS, bombs, cases
from hilum.problems import MEDIA_TYPE
from hilum.release import Release
from tests.releases import make_tiny_release

SEED = 20_261_121
MAX_BODY = 4_000_000
IN_FLIGHT = 16_000_000


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    release: Release = make_tiny_release(tmp_path_factory.mktemp("fuzz") / "release")
    settings = {
        "HILUM_RELEASE": str(release.folder),
        "HILUM_TRUSTED_KEYS": "",
        "HILUM_MAX_BODY_BYTES": str(MAX_BODY),
        "HILUM_MAX_BYTES_IN_FLIGHT": str(IN_FLIGHT),
        "HILUM_DRAIN_SECONDS": "0",
    }
    with running(**settings) as started:
        yield started


def test_the_same_seed_gives_the_same_requests_of_every_kind() -> None:
    first, again = list(cases(SEED, 80)), list(cases(SEED, 80))
    assert first == again
    assert {case.kind for case in first} == set(MAKERS)
    assert first != list(cases(SEED + 1, 80))


@pytest.mark.timeout(300)
def test_mutated_requests_are_answered_or_refused_with_a_whole_problem(target: Target) -> None:
    result = Result()
    asyncio.run(send(target, cases(SEED, 400), result))
    assert result.found == []
    assert sum(result.answers.values()) == 400
    # Neither all let through nor all refused at the door: the mutations reach the decoders.
    for kind in ("png", "jpeg", "dicom"):
        assert result.answers[kind, "200"] > 0
        assert result.answers[kind, "400"] > 0
    still_sound(target, result)
    assert result.found == []


@pytest.mark.timeout(300)
def test_bombs_are_refused_in_bounded_memory(target: Target) -> None:
    before, result = target.resident("VmHWM"), Result()
    asyncio.run(send(target, bombs(), result, parallel=1))
    assert result.found == []
    # A PNG whose text chunk is a bomb may be scored, for nobody unpacks it; everything else is refused.
    scored = {kind for kind, status in result.answers if status == "200"}
    assert all("PNG" in kind for kind in scored), scored
    assert target.resident("VmHWM") - before < 400_000_000
    still_sound(target, result)
    assert result.found == []


@pytest.mark.timeout(300)
def test_a_flood_of_uploads_is_held_to_the_bytes_in_flight(target: Target) -> None:
    before, result = target.resident("VmHWM"), Result()
    asyncio.run(flood(target, 60, MAX_BODY, result))
    assert result.found == []
    refused = result.answers["flood", "503"]
    assert 0 < refused < 60
    assert target.resident("VmHWM") - before < 60 * MAX_BODY // 2
    still_sound(target, result)
    assert result.found == []


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.Response(500, json={}), "status 500"),
        (httpx.Response(503, json={"type": "urn:x", "title": "x", "status": 503, "detail": "x"}), "status 503"),
        (httpx.Response(400, text="no"), "no problem document"),
        (httpx.Response(400, json={"status": 422}, headers={"content-type": MEDIA_TYPE}), "not whole"),
        (httpx.Response(400, json={"type": "urn:x", "title": "x", "status": 400, "detail": ""},
                        headers={"content-type": MEDIA_TYPE}), "not whole"),
    ],
)  # fmt: skip
def test_the_judge_finds_what_it_is_for(answer: httpx.Response, says: str) -> None:
    assert says in (judge(answer) or "")
