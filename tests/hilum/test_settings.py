"""Settings come from the environment, and a wrong one is a plain line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hilum.settings import REPOSITORY, ServiceSettings, from_environment


def test_a_setting_comes_from_the_environment_unless_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_PORT", "9001")
    assert from_environment(ServiceSettings).port == 9001
    assert from_environment(ServiceSettings, port=9002).port == 9002


def test_a_wrong_setting_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_PORT", "many")
    monkeypatch.setenv("HILUM_LOG_LEVEL", "loud")
    with pytest.raises(SystemExit) as stop:
        from_environment(ServiceSettings)
    lines = str(stop.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["HILUM_PORT", "HILUM_LOG_LEVEL"]
    assert "debug, info, warning, error" in lines[1]


def test_rows_and_films_lie_in_the_data_folder_unless_told_otherwise(tmp_path: Path) -> None:
    settings = ServiceSettings(data=tmp_path)
    assert settings.database("web") == f"sqlite:///{tmp_path}/web.db"
    assert settings.blobs() == (tmp_path / "films").as_uri()
    elsewhere = ServiceSettings(database_url="postgresql+psycopg://db/hilum", blobs_url="s3://bucket/films")
    assert (elsewhere.database("web"), elsewhere.blobs()) == ("postgresql+psycopg://db/hilum", "s3://bucket/films")


@pytest.mark.parametrize("module", ["services.web", "services.feedback", "services.inference", "services.cli"])
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("HILUM_PORT", "eighty", "HILUM_PORT: "), ("HILUM_LOG_LEVEL", "loud", "HILUM_LOG_LEVEL: one of debug")],
)
def test_a_wrong_setting_is_named_at_the_start(module: str, name: str, value: str, said: str, tmp_path: Path) -> None:
    done = _start(module, {name: value, "HILUM_DATA": str(tmp_path)})
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["services.web", "services.cli"])
def test_waits_that_contradict_each_other_are_refused_at_the_start(module: str, tmp_path: Path) -> None:
    done = _start(module, {"HILUM_WAIT_CRITICAL_MINUTES": "500", "HILUM_DATA": str(tmp_path)})
    assert done.returncode != 0
    assert "a more urgent band's wait ends before the next band's earliest due time" in done.stderr
    assert "Traceback" not in done.stderr


def _start(module: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    arguments = ["run"] if module == "services.cli" else []
    command = [sys.executable, "-m", module, *arguments]
    environment = {"PATH": "/usr/bin:/bin", "HILUM_PORT": "0", **settings}
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
