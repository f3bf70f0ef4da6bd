"""Round after round, the gauges show the last whole one."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import generate_latest

from training.online.evaluate import NotReady
from training.online.gauges import EvaluationGauges, registry
from training.online.results import Result
from training.online.rounds import rounds
from training.online.tally import Tally


def result(number: int, present: bool) -> Result:
    called = ("Effusion",) if present else ()
    return Result(f"f{number}", "set", "scored", "", "r", {"Effusion": 1}, {"Effusion": 0.9}, called, 0.1)


def test_gauges_keep_the_last_whole_round_while_a_service_is_away(tmp_path: Path) -> None:
    gauges = EvaluationGauges(Tally())
    page = registry(gauges)
    out = tmp_path / "online.jsonl"
    seen: list[str] = []
    pauses: list[float] = []

    def one(tally: Tally) -> None:
        number = len(seen)
        seen.append(generate_latest(page).decode())
        assert not out.exists(), "a round begins with no results"
        out.write_text("{}\n", encoding="utf-8")
        if number == 1:
            raise NotReady("away")
        tally.add(result(1, present=True))
        tally.add(result(2, present=number == 0))

    rounds(one, gauges, out, 60.0, pauses.append, count=3)
    accuracy = 'hilum_evaluation_accuracy{dataset="set",finding="Effusion",release="r"}'
    assert accuracy not in seen[0]
    assert f"{accuracy} 1.0" in seen[1]
    assert f"{accuracy} 1.0" in seen[2], "the round that failed took no figure away"
    assert f"{accuracy} 0.5" in generate_latest(page).decode()
    assert pauses == [60.0, 60.0]
    assert out.with_name("online.jsonl.before").exists()
