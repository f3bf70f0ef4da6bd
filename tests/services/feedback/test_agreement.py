"""Agreement of readers with a release: blind apart, blanks out, intervals by patient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from services.feedback.statistics import agreement, kappa, proportion, wilson
from tests.fixtures.reads import a_read
from tests.services.feedback.conftest import Post


def line(client: TestClient, **params: Any) -> dict[str, Any]:
    answer = client.get("/v1/agreement", params={"finding": "Mass", **params})
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["agreement"]
    result: dict[str, Any] = found
    return result


def test_blind_reads_are_apart_and_blanks_and_uncertain_ones_count_as_themselves(
    client: TestClient, post: Post
) -> None:
    # reader's label, release's call
    said = [(1, True), (1, True), (1, False), (0, False), (0, True), (-1, True), (None, True)]
    for number, (label, present) in enumerate(said):
        labels = {"Mass": label, "Effusion": 0}
        post(a_read(number, labels=labels, present=["Mass"] if present else [], blind=True), key=f"b-{number}")
    post(a_read(99, labels={"Mass": 0}, present=["Mass"]), key="s-1")
    blind, shown = line(client, blind=True), line(client, blind=False)
    assert (blind["present"], blind["absent"], blind["uncertain"], blind["blank"]) == (3, 2, 1, 1)
    assert blind["sensitivity"]["value"] == pytest.approx(2 / 3)
    assert blind["specificity"]["value"] == pytest.approx(1 / 2)
    assert blind["blank_share"] == pytest.approx(1 / 7)
    assert (shown["specificity"]["value"], shown["sensitivity"]["value"]) == (0.0, None)
    metrics = client.get("/metrics").text
    series = 'hilum_agreement{blind="true",bound="value",finding="Mass",measure="sensitivity",release="sha256:aa"}'
    assert f"{series} 0.666" in metrics
    assert 'hilum_reads_blank_share{blind="true",finding="Mass",release="sha256:aa"} 0.142' in metrics


def test_a_correction_replaces_a_withdrawal_removes_and_a_shown_read_never_replaces_a_blind_one(
    client: TestClient, post: Post
) -> None:
    post(a_read(1, labels={"Mass": 1}, present=["Mass"], blind=True), key="k-1")
    post(a_read(1, labels={"Mass": 0}, present=["Mass"]), key="k-2")
    post(a_read(1, labels={"Mass": 1}, present=["Mass"]), key="k-3")
    post(a_read(2, labels={"Mass": 1}, present=[], blind=True), key="k-4")
    post(a_read(2, kind="withdrawal", replaces="k-4", blind=True), key="k-5")
    assert line(client, blind=True)["sensitivity"] | {"low": 0} == {"value": 1.0, "low": 0, "high": 1.0, "n": 1}
    assert (line(client, blind=False)["present"], line(client, blind=False)["absent"]) == (1, 0)


def test_an_interval_counts_patients_not_their_films() -> None:
    alone = proportion(np.array([1, 0] * 20), np.array([1, 1] * 20))
    alike = proportion(np.array([10, 0] * 2), np.array([10, 10] * 2))
    assert (alone.value, alike.value) == (0.5, 0.5)
    assert (alone.n, alike.n) == (40, 40)
    assert alone.low is not None
    assert alike.low is not None
    assert alike.low < 0.2
    assert alone.low > 0.3
    # Ten of ten of one patient is one patient's word.
    sure = proportion(np.array([10]), np.array([10]))
    assert sure.low == pytest.approx(wilson(1.0, 1)[0])


def test_wilson_is_the_textbooks() -> None:
    # Newcombe 1998, table I: 81 of 263; and 0 of 20.
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0.0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_kappa_is_cohens_and_its_interval_covers_it() -> None:
    # Cohen's table 20 / 5 / 10 / 15 of 50: kappa 0.4.
    counts = np.zeros((50, 4), dtype=np.int64)
    for column, number in enumerate((20, 5, 10, 15)):
        start = (0, 20, 25, 35)[column]
        counts[start : start + number, column] = 1
    found = kappa(counts)
    assert found.value == pytest.approx(0.4)
    assert found.low is not None
    assert found.high is not None
    assert 0.1 < found.low < 0.4 < found.high < 0.65


def test_a_kappa_of_one_class_alone_is_not_said() -> None:
    found = agreement(np.array([[0, 0, 0, 5, 0, 0]]))
    assert (found.kappa.value, found.sensitivity.value, found.specificity.value) == (None, None, 1.0)
