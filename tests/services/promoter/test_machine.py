"""The table of states: total, and true of every order of events."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.gates import Check, GateRecord
from services.promoter.bundle import ENVIRONMENTS, Bundle, Image
from services.promoter.machine import Event, placed, step
from services.promoter.promotion import BadState, Candidate, Ledger, read
from services.promoter.rules import Rules, windows
from services.promoter.states import ENDED, Kind, State

MONDAY = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
OLD = Bundle("0" * 64, "fp32", (Image("inference", "registry/inference", "sha256:" + "a" * 64),), "main")
BASE = {**dict.fromkeys(ENVIRONMENTS, OLD), "canary": replace(OLD, replicas=0)}
RULES = Rules()
FAILED = Check("latency", "p99 ratio", "fail", "slower than the plan allows", value=3.1, bound=1.3, n=400)
RECORD = GateRecord("staging", "1" * 64, "0" * 64, 1, "p", "0" * 64, MONDAY, MONDAY, (FAILED,))


def candidate(number: int) -> Candidate:
    return Candidate("tiny", str(number), f"{number}.0.0", f"{number:064d}", "fp32")


def event(kind: Kind, number: int = 1) -> Event:
    return Event(kind, "because", by="anna", record=RECORD if kind is Kind.FAIL else None,
                 candidate=candidate(number), base=BASE)  # fmt: skip


# What leads on is drawn more often, so that every state is reached.
KINDS = [*Kind, *[Kind.PASS] * 12, *[Kind.PROCEED, Kind.APPROVE] * 3, *[Kind.CANDIDATE, Kind.RETRY] * 2]
EVENTS = st.tuples(st.sampled_from(KINDS), st.integers(1, 9), st.integers(0, 100))


@settings(deadline=None, max_examples=60)
@given(st.lists(EVENTS, max_size=40), st.booleans())
def test_no_order_of_events_reaches_production_without_every_gate_and_the_approval(
    happened: list[tuple[Kind, int, int]], approval: bool
) -> None:
    rules, ledger, now = replace(RULES, approval=approval), Ledger(), MONDAY
    passed: dict[int, set[State]] = {}
    for kind, number, hours in happened:
        now += timedelta(hours=hours)
        before = ledger
        made = step(ledger, event(kind, number), now, rules)
        ledger = made.ledger
        assert made.moved or made.why, "what changes nothing says why"
        assert ledger.generation == before.generation + (ledger != before)
        if kind is Kind.PASS and ledger != before and before.current is not None:
            passed.setdefault(before.current.id, set()).add(before.current.state)
        for promotion in [*([ledger.current] if ledger.current else []), *ledger.ended]:
            there = placed(promotion, rules)
            where = promotion.back_to if promotion.state is State.HELD else promotion.state
            in_production = there["production"].digest == promotion.candidate.digest
            assert in_production == (where in {State.PRODUCTION, State.GUARDED, State.DONE})
            if in_production:
                assert {State.STAGING, State.CANARY_SHADOW, State.CANARY_EXPOSED} <= passed[promotion.id]
                assert promotion.approved_by or not approval
            if promotion.state in ENDED - {State.DONE} or promotion.state is State.INTERRUPTED:
                assert there == promotion.base, "ended without success: everything is as before"
            if there["production"].exposure:
                assert State.CANARY_SHADOW in passed[promotion.id], "exposure comes after the shadow gate"
        attempts = [p.attempt for p in ledger.ended if p.attempt]
        assert ledger.attempts >= max([*attempts, ledger.current.attempt if ledger.current else 0])
    assert read(ledger.to_json()) == ledger, "Git's file is the whole state"


@pytest.mark.parametrize("state", [s for s in State if s not in ENDED])
@pytest.mark.parametrize("kind", list(Kind))
def test_every_event_in_every_state_moves_or_says_why_not(state: State, kind: Kind) -> None:
    ledger = Ledger()
    if state is not State.WAITING:
        ledger = step(ledger, event(Kind.CANDIDATE), MONDAY, RULES).ledger
        assert ledger.current is not None
        ledger = replace(ledger, current=replace(ledger.current, state=state, back_to=State.CANARY_SHADOW))
    made = step(ledger, event(kind, 2), MONDAY, RULES)
    assert (made.ledger != ledger) if made.moved else made.why


def test_a_failure_without_a_record_and_a_person_without_a_name_reject_nothing() -> None:
    ledger = step(Ledger(), event(Kind.CANDIDATE), MONDAY, RULES).ledger
    assert "without a record" in step(ledger, Event(Kind.FAIL, "I think so"), MONDAY, RULES).why
    assert "name and a reason" in step(ledger, Event(Kind.REJECT, "bad"), MONDAY, RULES).why
    assert "name and a reason" in step(ledger, Event(Kind.REJECT, by="anna"), MONDAY, RULES).why
    failed = step(ledger, event(Kind.FAIL), MONDAY, RULES).ledger.ended[0].failed
    assert failed is not None and (failed["metric"], failed["value"], failed["bound"], failed["n"]) == (
        "p99 ratio", 3.1, 1.3, 400,
    )  # fmt: skip


def test_nothing_advances_in_a_freeze_window_and_everything_may_go_back() -> None:
    rules = Rules(freeze=windows("Fri 16:00 - Mon 07:00; 2026-12-24 - 2026-12-27"), timezone="Europe/Berlin")
    friday, noon = datetime(2026, 11, 27, 15, 30, tzinfo=UTC), datetime(2026, 12, 24, 12, 0, tzinfo=UTC)
    assert rules.frozen(friday) and rules.frozen(noon) and not rules.frozen(MONDAY)
    assert not rules.frozen(friday - timedelta(hours=1)) and not rules.frozen(datetime(2026, 12, 28, 8, tzinfo=UTC))
    ledger = step(Ledger(), event(Kind.CANDIDATE), MONDAY, rules).ledger
    ledger = step(ledger, event(Kind.PASS), MONDAY, rules).ledger
    assert "freeze window" in step(ledger, event(Kind.PASS), friday, rules).why
    for _ in range(3):
        ledger = step(ledger, event(Kind.PASS), MONDAY, rules).ledger
    ledger = step(ledger, event(Kind.APPROVE), friday, rules).ledger
    assert "freeze window" in step(ledger, event(Kind.PROCEED), friday, rules).why
    production = step(ledger, event(Kind.PROCEED), MONDAY, rules).ledger
    assert step(production, event(Kind.FAIL), friday, rules).ledger.ended[0].state is State.REJECTED
    for wrong in ("Fri 16:00", "Fro 16:00 - Mon 07:00", "2026-12-27 - 2026-12-24", "Fri 25:00 - Mon 07:00"):
        with pytest.raises(ValueError, match="freeze window"):
            windows(wrong)


def test_the_time_that_a_promotion_is_held_does_not_count_towards_its_deadline() -> None:
    ledger = step(Ledger(), event(Kind.CANDIDATE), MONDAY, RULES).ledger
    assert ledger.current is not None and ledger.current.deadline is not None
    due = ledger.current.deadline
    held = step(ledger, event(Kind.HOLD), MONDAY + timedelta(hours=1), RULES).ledger
    back = step(held, event(Kind.RESUME), MONDAY + timedelta(hours=9), RULES).ledger
    assert back.current is not None and back.current.deadline == due + timedelta(hours=8)


def test_a_state_file_that_is_not_the_promoters_stops_everything_with_the_remedy() -> None:
    assert read(None) == Ledger()
    for text in ("", "[]", "{}", '{"format": 1}', '{"format": 2}', Ledger().to_json().replace("0", '"x"')):
        with pytest.raises(BadState, match=r"promotion\.json"):
            read(text)
