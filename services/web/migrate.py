"""`python -m services.web.migrate`: bring the reading room's tables up to date, and end."""

from __future__ import annotations

import sys

from hilum.settings import from_environment
from hilum.storage import DatabaseUnavailable, make_engine, upgrade
from services.web.settings import WebSettings
from services.web.work import IDENTITY_MIGRATIONS, MIGRATIONS


def main() -> None:
    """Run once; status 1 with one line where the database can't be used."""
    try:
        engine = make_engine(from_environment(WebSettings).database("web"))
        upgrade(engine, "web", MIGRATIONS)
        upgrade(engine, "identity", IDENTITY_MIGRATIONS)
    except DatabaseUnavailable as error:
        sys.exit(f"web's tables can't be migrated: {error}")


if __name__ == "__main__":
    main()
