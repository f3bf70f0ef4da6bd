"""The release's own words and figures."""

from __future__ import annotations

from fastapi.testclient import TestClient


def test_the_card_and_the_evaluation_are_those_of_the_release(client: TestClient) -> None:
    card = client.get("/v1/model/card")
    assert card.headers["content-type"].startswith("text/markdown")
    assert card.text == "# A tiny release for tests\n"
    evaluation = client.get("/v1/model/evaluation")
    assert evaluation.headers["content-type"] == "application/json"
    assert evaluation.json() == {}
