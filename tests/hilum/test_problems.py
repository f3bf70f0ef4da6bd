"""Every error is one shape, and none tells what it should not."""

from __future__ import annotations

from datetime import datetime

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient
from pydantic import BaseModel

from hilum import problems


class Body(BaseModel):
    when: datetime
    count: int


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    problems.install(app)

    @app.get("/refused")
    def refused() -> None:
        raise problems.Problem(409, "already-there", "It is there.", headers={"Retry-After": "3"}, study="1.2")

    @app.get("/http")
    def http() -> None:
        raise HTTPException(403, "Not you.", headers={"X-Why": "because"})

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("the patient's name is Doe")

    @app.post("/body")
    def body(body: Body) -> Body:
        return body

    return TestClient(app, raise_server_exceptions=False)


def test_a_problem_is_a_problem_document(client: TestClient) -> None:
    answer = client.get("/refused")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "3"
    assert answer.json() == {
        "type": "urn:hilum:problem:already-there",
        "title": "Already there",
        "status": 409,
        "detail": "It is there.",
        "study": "1.2",
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("DELETE", "/refused", 405, "method-not-allowed"),
        ("GET", "/http", 403, "forbidden"),
        ("GET", "/broken", 500, "internal-error"),
    ],
)
def test_errors_of_the_framework_are_problem_documents_too(
    client: TestClient, method: str, path: str, status: int, kind: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == answer.json()["status"] == status
    assert answer.json()["type"] == f"urn:hilum:problem:{kind}"
    assert answer.headers["content-type"] == "application/problem+json"


def test_headers_of_an_http_error_are_kept(client: TestClient) -> None:
    assert client.get("/http").headers["x-why"] == "because"


def test_an_unexpected_error_tells_nothing_of_its_cause(client: TestClient) -> None:
    assert "Doe" not in client.get("/broken").text


def test_an_invalid_body_names_every_field_at_fault_but_not_its_content(client: TestClient) -> None:
    answer = client.post("/body", json={"when": "Jane Doe", "count": "many"})
    assert answer.status_code == 422
    assert [field["where"] for field in answer.json()["fields"]] == ["body.when", "body.count"]
    assert "Doe" not in answer.text


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[1]", b"null"])
def test_a_body_that_is_no_json_object_is_422(client: TestClient, body: bytes) -> None:
    answer = client.post("/body", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:hilum:problem:invalid-request"
