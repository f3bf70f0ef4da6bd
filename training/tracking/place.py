"""Where MLflow is, and a client of it that sends nothing to anybody else.

The place is `HILUM_MLFLOW`, else `MLFLOW_TRACKING_URI`, else a SQLite file in `HILUM_DATA` (default `data`).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

SETTING = "HILUM_MLFLOW"
# MLflow's own defaults (7 retries, 120 s each) would hold up a training for minutes when the server is away.
_HTTP_SECONDS = "30"
_SILENT = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
_SHORT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": _HTTP_SECONDS,
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    # Artifacts come through the server: signed addresses of its object store would lead where this machine can't reach.
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
}


class TrackingUnavailable(Exception):
    """MLflow can't be reached; the text says where it was looked for and what to do."""


@dataclass(frozen=True)
class Place:
    """An MLflow: its tracking URI, and a local folder for what waits to be sent.

    `artifacts` is where a database without a server keeps files; None: the server says.
    """

    uri: str
    journal: Path
    artifacts: str | None = None

    @property
    def shown(self) -> str:
        """The URI without a password."""
        return re.sub(r"//([^:/@]+):[^@]*@", r"//\1:***@", self.uri)

    @property
    def over_http(self) -> bool:
        """Whether a server answers there; else this process works on the database itself."""
        return urlsplit(self.uri).scheme in ("http", "https")


def place(uri: str | None = None, data: Path | None = None) -> Place:
    """The place by `uri` or the settings; nothing is made and nothing is asked."""
    data = data or Path(os.environ.get("HILUM_DATA") or "data")
    home = (data / "mlflow").absolute()
    uri = uri or os.environ.get(SETTING) or os.environ.get("MLFLOW_TRACKING_URI")
    if uri is None:
        return Place(f"sqlite:///{home / 'mlflow.db'}", home / "journal", (home / "artifacts").as_uri())
    if "://" not in uri:
        folder = Path(uri).absolute()
        return Place(f"sqlite:///{folder / 'mlflow.db'}", home / "journal", (folder / "artifacts").as_uri())
    if uri.startswith("sqlite:///"):
        return Place(uri, home / "journal", (Path(uri.removeprefix("sqlite:///")).parent / "artifacts").as_uri())
    return Place(uri, home / "journal")


def quiet() -> None:
    """Before mlflow is imported: no telemetry, short waits; a wait that was set stays, telemetry does not."""
    os.environ.update(_SILENT)
    for name, value in _SHORT.items():
        os.environ.setdefault(name, value)


def client(where: Place) -> MlflowClient:
    """A client of tracking and registry at `where`; raises TrackingUnavailable where it does not answer now."""
    quiet()
    from mlflow.exceptions import MlflowException  # noqa: PLC0415
    from mlflow.tracking import MlflowClient  # noqa: PLC0415
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    try:
        if where.uri.startswith("sqlite:///"):
            Path(where.uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        if where.over_http:
            _ask(where.uri)
        else:
            _calm_database_logs()
        made = MlflowClient(tracking_uri=where.uri, registry_uri=where.uri)
        made.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TrackingUnavailable(
            f"MLflow at {where.shown} does not answer ({reason[:200]}). Start it, name another by {SETTING}, "
            "or train with --offline and send the run later by `hilum runs sync`"
        ) from error
    return made


def _ask(uri: str) -> None:
    """A quick question first: MLflow's client would try again for a long time."""
    import httpx  # noqa: PLC0415

    try:
        answer = httpx.get(f"{uri.rstrip('/')}/health", timeout=5, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OSError(str(error) or type(error).__name__) from error
    if not answer.is_success:
        raise OSError(f"/health answered {answer.status_code}")


def _calm_database_logs() -> None:
    """A fresh SQLite file takes fifty migrations, and each would print a line."""
    import logging  # noqa: PLC0415

    for name in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.WARNING)


def experiment(where: Place, made: MlflowClient, name: str) -> str:
    """The id of experiment `name`, made where it is not there yet."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    found = made.get_experiment_by_name(name)
    if found is None:
        try:
            return str(made.create_experiment(name, artifact_location=_artifacts(where, name)))
        except MlflowException:
            # Another process made it in between.
            found = made.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        made.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _artifacts(where: Place, name: str) -> str | None:
    return None if where.artifacts is None else f"{where.artifacts}/{re.sub(r'[^A-Za-z0-9._-]', '-', name)}"
