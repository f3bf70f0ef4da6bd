"""`hilum settings`: every setting of every service."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="settings")(show_settings)


def show_settings() -> None:
    """Print every setting as a Markdown table: `docs/settings.md` is this command's output.

    Example: hilum settings > docs/settings.md
    """
    typer.echo(markdown(), nl=False)


def _default(value: Any) -> str:
    from hilum.settings import REPOSITORY

    if isinstance(value, Path) and value.is_relative_to(REPOSITORY):
        value = value.relative_to(REPOSITORY)
    text = str(value)
    if text.startswith(str(REPOSITORY)):
        text = str(Path(text).relative_to(REPOSITORY))
    return f"`{text}`" if text else "empty"


def markdown() -> str:
    """The page: one table per service, the shared settings first."""
    from hilum.release.fetch import FetchSettings
    from hilum.settings import ServiceSettings
    from services.feedback.settings import FeedbackSettings
    from services.inference.settings import InferenceSettings
    from services.promoter.settings import PromoterSettings
    from services.web.settings import WebSettings

    lines = [
        "# Settings",
        "",
        "Every setting is an environment variable. This page is the output of `hilum settings`.",
        "Keys of the object store come from the usual `AWS_*` variables, a release's signing key from the file that",
        "`HILUM_SIGNING_KEY` names, the training films from `HILUM_TRAINING_DATA` (default `../shared/data`).",
        "",
        "| for tests | means |",
        "|---|---|",
        "| `HILUM_CHROMIUM` | path of the browser, where it is not on the path |",
        "| `HILUM_DICOM_KILLS` | kills of the kill loop of DICOM (default 2) |",
        "| `HILUM_KILLS` | kills of the kill loop (default 50) |",
        "| `HILUM_CHAOS_KILLS` | kills of the chaos test (default 6; `make chaos`: 500) |",
        "| `HILUM_REQUIRE_REAL` | 1: a real server that cannot start fails the tests instead of skipping them |",
    ]
    shared = ServiceSettings.model_fields
    for title, settings in (
        ("Every service", ServiceSettings),
        ("web", WebSettings),
        ("inference", InferenceSettings),
        ("feedback", FeedbackSettings),
        ("promoter", PromoterSettings),
        ("release fetch (the init container of inference)", FetchSettings),
    ):
        lines += ["", f"## {title}", "", "| variable | default | meaning |", "|---|---|---|"]
        for name, field in settings.model_fields.items():
            inherited = settings is not ServiceSettings and name in shared
            if inherited and field.default == shared[name].default:
                continue
            lines.append(f"| `HILUM_{name.upper()}` | {_default(field.default)} | {field.description} |")
    return "\n".join(lines) + "\n"
