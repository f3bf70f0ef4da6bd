"""Settings come from the environment, and a wrong one is a plain line."""

from __future__ import annotations

from pathlib import Path

import pytest

from hilum.settings import ServiceSettings, from_environment


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
