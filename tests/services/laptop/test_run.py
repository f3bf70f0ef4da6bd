"""`hilum run` as a person meets it: a real process."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.releases import pattern_film
from tests.services.laptop.process import Laptop, ended, wait_for

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_it_prints_its_address_answers_and_stops_cleanly(
    tmp_path: Path, tiny_release: Path, number: signal.Signals
) -> None:
    with Laptop(tmp_path / "data", tiny_release) as laptop:
        page = httpx.get(laptop.url)
        assert page.status_code == 200
        assert "text/html" in page.headers["content-type"]
        for path in ("inference/v1/model", "feedback/v1/reads", "feedback/v1/export.csv", "readyz", "metrics"):
            wait_for(lambda path=path: httpx.get(laptop.url + path).status_code == 200)
        code, printed = laptop.stop(number)
    assert code == 0
    assert str(tmp_path / "data") in printed
    assert laptop.url in printed
    assert "Traceback" not in printed


def test_it_stops_cleanly_while_films_are_taken_and_scored(tmp_path: Path, tiny_release: Path) -> None:
    with Laptop(tmp_path / "data", tiny_release, samples=True) as laptop:
        code, printed = laptop.stop(signal.SIGINT)
        assert code == 0, printed
        assert "Traceback" not in printed
    with Laptop(tmp_path / "data", tiny_release, samples=True) as laptop:
        wait_for(lambda: len(_listed(laptop)) == _sample_studies())


def _listed(laptop: Laptop) -> list[dict[str, str]]:
    studies: list[dict[str, str]] = httpx.get(laptop.url + "v1/studies?limit=200&status=all").json()["studies"]
    return studies


def _sample_studies() -> int:
    return len(json.loads((ROOT / "samples/samples.json").read_text(encoding="utf-8"))["films"])


def test_a_first_start_lists_the_sample_films_and_a_second_keeps_what_there_is(
    tmp_path: Path, tiny_release: Path
) -> None:
    with Laptop(tmp_path / "data", tiny_release, samples=True) as laptop:
        wait_for(lambda: len(_listed(laptop)) == _sample_studies())
        wait_for(lambda: all(study["status"] != "waiting" for study in _listed(laptop)))
        first = {study["uid"] for study in _listed(laptop)}
        assert {study["site"] for study in _listed(laptop)} == {"samples"}
        body = pattern_film(1)
        sent = httpx.post(laptop.url + "v1/studies", files={"file": ("film.png", body)})
        assert sent.status_code == 201
        # The films that the samples are copies of can be sent too.
        copied = httpx.post(
            laptop.url + "v1/studies", files={"file": ROOT.joinpath("samples/nih_test1.dcm").open("rb")}
        )
        assert copied.status_code == 201
        laptop.stop(signal.SIGTERM)
    with Laptop(tmp_path / "data", tiny_release, samples=True) as laptop:
        first.add(copied.json()["uid"])
        assert {study["uid"] for study in _listed(laptop)} == first | {sent.json()["uid"]}
        film = sent.json()["films"][0]["film_uid"]
        original = httpx.get(f"{laptop.url}v1/studies/{sent.json()['uid']}/films/{film}/original")
        assert original.content == body


def test_a_second_process_on_the_same_folder_is_refused(tmp_path: Path, tiny_release: Path) -> None:
    with Laptop(tmp_path / "data", tiny_release):
        code, printed = ended(tmp_path / "data", tiny_release)
        assert code == 1
        assert "another hilum process works in" in printed
        assert "Traceback" not in printed


def test_a_port_that_is_taken_is_said_in_a_line(tmp_path: Path, tiny_release: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, printed = ended(tmp_path / "data", tiny_release, "--port", str(port))
    assert code == 1
    assert f"port {port}" in printed
    assert "--port" in printed
    assert "Traceback" not in printed


def test_an_address_that_others_can_reach_is_refused(tmp_path: Path, tiny_release: Path) -> None:
    code, printed = ended(tmp_path / "data", tiny_release, "--host", "0.0.0.0")
    assert code == 1
    assert "nobody has to sign in" in printed


def test_a_folder_that_cannot_be_made_is_said_in_a_line(tmp_path: Path, tiny_release: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, printed = ended(tmp_path / "file" / "data", tiny_release)
    assert code == 1
    assert "can't be used" in printed
    assert "Traceback" not in printed


def test_a_release_that_is_broken_is_said_and_films_are_kept(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with Laptop(tmp_path / "data", tmp_path / "empty") as laptop:
        sent = httpx.post(laptop.url + "v1/studies", files={"file": ("film.png", pattern_film(1))})
        assert sent.status_code == 201
        ready = httpx.get(laptop.url + "readyz")
        assert ready.status_code == 200
        assert "manifest.json" in str(ready.json()["warnings"])
        assert _listed(laptop)[0]["status"] == "waiting"


def test_an_upload_of_500_mb_is_refused_before_it_is_sent(tmp_path: Path, tiny_release: Path) -> None:
    with Laptop(tmp_path / "data", tiny_release) as laptop:
        port = int(laptop.url.rstrip("/").rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.putrequest("POST", "/v1/studies")
        connection.putheader("Content-Type", "multipart/form-data; boundary=x")
        connection.putheader("Content-Length", "500000000")
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 413
        assert answer.headers["content-type"] == "application/problem+json"
        connection.close()
        wait_for(lambda: httpx.get(laptop.url + "healthz").status_code == 200)


@pytest.mark.parametrize(
    ("options", "setting"), [(["--port", "99999"], {}), ([], {"HILUM_PORT": "many"})], ids=["option", "environment"]
)
def test_a_setting_that_makes_no_sense_is_said_in_a_line(
    tmp_path: Path, tiny_release: Path, options: list[str], setting: dict[str, str]
) -> None:
    process = subprocess.run(
        [*Laptop.command(), "run", *options],
        cwd=ROOT,
        env=Laptop.environment(tiny_release, HILUM_DATA=str(tmp_path), **setting),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 1
    assert "HILUM_PORT: " in process.stderr
    assert "Traceback" not in process.stderr
