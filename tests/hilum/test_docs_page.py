"""The page of calls needs nothing from outside and obeys the content security policy."""

from __future__ import annotations

import re
from typing import Annotated

import pytest
from fastapi import FastAPI, Header, Query
from fastapi.testclient import TestClient

from hilum import docs_page


def make_app() -> FastAPI:
    app = FastAPI(title="Testing <b>", docs_url=None, redoc_url=None)

    @app.get("/things/{name}", summary="A thing")
    def thing(name: str, size: Annotated[int, Query(description="How <large>.")]) -> dict[str, str]:
        """First `size`.

        Second.
        """
        return {"name": name, "size": str(size)}

    @app.post("/things")
    def add(key: Annotated[str, Header(alias="Idempotency-Key")]) -> str:
        return key

    docs_page.add(app)
    return app


@pytest.mark.parametrize("mount", ["", "/inner"])
def test_the_page_lists_every_call_with_an_example(mount: str) -> None:
    app = make_app()
    if mount:
        outer = FastAPI()
        outer.mount(mount, app)
        app = outer
    client = TestClient(app)
    page = client.get(f"{mount}/docs").text
    for text in ("A thing", "<p>First <code>size</code>.</p>", "<p>Second.</p>", "size", "required", "Idempotency-Key"):
        assert text in page
    assert f"curl &#39;http://testserver{mount}/things/{{name}}?size=SIZE&#39;" in page
    assert client.get(f"{mount}/docs/style.css").headers["content-type"].startswith("text/css")


def test_the_page_escapes_and_loads_nothing_from_outside() -> None:
    page = TestClient(make_app()).get("/docs").text
    assert "Testing &lt;b&gt;" in page
    assert "How &lt;large&gt;." in page
    assert re.findall(r"(?:src|href)=\"([^\"#][^\"]*)\"", page) == ["docs/style.css", "openapi.json"]
    assert not re.search(r"<script|<style|style=|\son\w+=", page)
