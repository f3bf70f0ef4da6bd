"""Sign in by a real Keycloak in a real browser: roles, signing out, a session that ends, wrong issuers, new keys.

Needs Java 17, Chromium and Keycloak's distribution (org.keycloak:keycloak-quarkus-dist, zip) in the folder that
HILUM_KEYCLOAK names, default `.cache/keycloak`. Results: `docs/benchmarks/oidc-keycloak-<cpu>.csv`.
"""

from __future__ import annotations

import csv
import secrets
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Error, sync_playwright
from rich.console import Console

from bench.keycloak_server import PEOPLE, STRANGERS, VERSION, keycloak, realm
from bench.machine import describe, slug
from tests.e2e.keycloak_steps import STARTS, Doors, Step
from tests.e2e.reading_room import chromium_path, launch
from tests.fixtures.ports import free_ports
from tests.releases import make_tiny_release
from tests.services.laptop.process import Laptop

ROOT = Path(__file__).resolve().parent.parent
console = Console(stderr=True)


def seen(step: Step, doors: Doors) -> tuple[str, str, str]:
    """The step's sentence, whether it is so, and its seconds."""
    began = time.monotonic()
    try:
        step(doors)
        so = "yes"
    except (AssertionError, Error) as error:
        console.print(str(error), markup=False)
        so = "NO"
    row = (str(step.__doc__), so, f"{time.monotonic() - began:.1f}")
    console.print(*row)
    return row


def main() -> None:
    """Run every step; exit status 1 where one failed."""
    path = chromium_path()
    if path is None:
        raise SystemExit("Chromium is not there: no /usr/bin/chromium, and HILUM_CHROMIUM names none.")
    secret, password, admin = (secrets.token_urlsafe(24) for _ in range(3))
    ours, theirs = free_ports(2)
    room = f"http://127.0.0.1:{ours}"
    realms = [
        realm("hospital", PEOPLE, room, secret, password),
        realm("elsewhere", STRANGERS, room, secret, password),
    ]
    with tempfile.TemporaryDirectory(prefix="hilum-oidc-") as name, sync_playwright() as playwright:
        folder = Path(name)
        (folder / "secret").write_text(secret, encoding="utf-8")
        release = make_tiny_release(folder / "tiny").folder
        browser = launch(playwright, path)
        began = time.monotonic()
        with keycloak(theirs, realms, admin) as provider:
            rows = [("Keycloak starts with the realms", "yes", f"{time.monotonic() - began:.1f}")]
            issuer = f"{provider.address}/realms/hospital"
            usual = {
                "HILUM_OIDC_ISSUER": issuer,
                "HILUM_OIDC_CLIENT_SECRET_FILE": str(folder / "secret"),
                "HILUM_OIDC_ROLES_CLAIM": "realm_access.roles",
            }
            for settings, steps in STARTS:
                more = {key: value.format(issuer=issuer) for key, value in settings.items()}
                laptop = Laptop(folder / "data", release, port=ours)
                laptop._environment |= {**usual, **more}
                with laptop:
                    rows += [seen(step, Doors(browser, room, provider, password)) for step in steps]
        browser.close()
    target = ROOT / "docs/benchmarks" / f"oidc-keycloak-{slug()}.csv"
    with target.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["step", "so", "seconds", "provider", "machine"])
        writer.writerows([*row, f"Keycloak {VERSION}", describe()] for row in rows)
    raise SystemExit(1 if any(row[1] == "NO" for row in rows) else 0)


if __name__ == "__main__":
    main()
