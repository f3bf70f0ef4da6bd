"""`python -m services.feedback.migrate`: bring the ledger's tables up to date, and end."""

from __future__ import annotations

import sys

from hilum.settings import from_environment
from hilum.storage import DatabaseUnavailable, make_engine, upgrade
from services.feedback.service import MIGRATIONS, SERVICE
from services.feedback.settings import FeedbackSettings


def main() -> None:
    """Run once; status 1 with one line where the database can't be used."""
    try:
        upgrade(make_engine(from_environment(FeedbackSettings).database(SERVICE)), SERVICE, MIGRATIONS)
    except DatabaseUnavailable as error:
        sys.exit(f"the ledger's tables can't be migrated: {error}")


if __name__ == "__main__":
    main()
