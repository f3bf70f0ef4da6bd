"""Start MLflow's server with sign-in: bring its tables up, set its users' passwords, and become the server.

Everything comes from the environment (charts/platform/templates/mlflow.yaml) and from a folder with one file a user:
`NAME-password`. A password that was changed there holds from the next start. `admin` may do everything; the others may
do what `HILUM_MLFLOW_DEFAULT_PERMISSION` says (READ, USE, EDIT, MANAGE), with whatever they made themselves.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

PASSWORDS = Path(os.environ.get("HILUM_MLFLOW_PASSWORDS", "/etc/mlflow/secret"))
CONFIG = Path(tempfile.gettempdir()) / "basic_auth.ini"
ADMIN = "admin"


def database() -> str:
    """The address of the database that holds runs, registry and users, its password with it."""
    parts = {name: os.environ[f"HILUM_MLFLOW_DATABASE_{name}"] for name in ("HOST", "PORT", "NAME", "USER", "PASSWORD")}
    user, password = quote(parts["USER"], safe=""), quote(parts["PASSWORD"], safe="")
    return f"postgresql+psycopg://{user}:{password}@{parts['HOST']}:{parts['PORT']}/{parts['NAME']}"


def passwords() -> dict[str, str]:
    """Every user with its password; exits where admin's is missing."""
    found = {
        path.name.removesuffix("-password"): path.read_text(encoding="utf-8").strip()
        for path in sorted(PASSWORDS.glob("*-password"))
    }
    if not found.get(ADMIN):
        sys.exit(f"{PASSWORDS}/{ADMIN}-password is missing or empty: the Secret of MLflow has no password of its admin")
    return found


def configure(url: str, admin_password: str) -> None:
    """Write what MLflow reads: who may do what where nothing else is said, and where users are kept."""
    default = os.environ.get("HILUM_MLFLOW_DEFAULT_PERMISSION", "EDIT")
    lines = [
        "[mlflow]",
        f"default_permission = {default}",
        f"database_uri = {url.replace('%', '%%')}",
        f"admin_username = {ADMIN}",
    ]
    CONFIG.write_text("\n".join(lines) + "\n", encoding="utf-8")
    CONFIG.chmod(0o600)
    os.environ |= {
        "MLFLOW_AUTH_CONFIG_PATH": str(CONFIG),
        "MLFLOW_AUTH_ADMIN_PASSWORD": admin_password,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": (PASSWORDS / "flask-secret").read_text(encoding="utf-8").strip(),
        "MLFLOW_BACKEND_STORE_URI": url,
    }


def set_users(url: str, wanted: dict[str, str]) -> None:
    """Make the users that are not there, and give the others the password that the Secret says."""
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore  # reads the configuration written above

    store = SqlAlchemyStore()
    store.init_db(url)
    for name, password in wanted.items():
        if not store.has_user(name):
            store.create_user(name, password, is_admin=name == ADMIN)
            print("made the user", name)
        elif not store.authenticate_user(name, password):
            store.update_user(name, password=password)
            print("changed the password of", name)


def main() -> None:
    """Prepare, then become the server: it gets the signals itself."""
    url, wanted = database(), passwords()
    configure(url, wanted[ADMIN])
    # A process of its own: what it imports is not kept in the server's memory.
    upgrade = "import os; from mlflow.db import upgrade; upgrade.callback(os.environ['MLFLOW_BACKEND_STORE_URI'])"
    if subprocess.run([sys.executable, "-c", upgrade], check=False).returncode:
        sys.exit("the database's tables could not be brought up: the lines above say why")
    set_users(url, wanted)
    sys.stdout.flush()
    workers = os.environ.get("HILUM_MLFLOW_WORKERS", "1")
    os.execv(
        sys.executable,
        [
            sys.executable,
            "-m",
            "mlflow",
            "server",
            "--app-name",
            "basic-auth",
            "--host",
            "0.0.0.0",
            "--port",
            "5000",
            "--workers",
            workers,
            "--uvicorn-opts",
            "--no-access-log --timeout-graceful-shutdown 20",
        ],
    )


if __name__ == "__main__":
    main()
