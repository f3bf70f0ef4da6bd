"""A real Keycloak for `bench.keycloak`: Java 17 and its distribution, with a realm of ours and one of somebody else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent
VERSION = "26.0.8"
START_SECONDS = 240.0
PEOPLE = {"anna": ["hilum-reader"], "lea": ["hilum-reader", "hilum-lead"], "adam": ["hilum-admin"], "eve": []}
# In a realm of its own, whose owner gives herself every role: nothing of it may count here.
STRANGERS = {"mallory": ["hilum-reader", "hilum-lead", "hilum-admin"]}


def distribution() -> Path:
    """The unpacked distribution; ends the process with a line where it is not there."""
    folder = Path(os.environ.get("HILUM_KEYCLOAK", ROOT / ".cache/keycloak"))
    home = folder / f"keycloak-{VERSION}"
    archive = folder / f"keycloak-quarkus-dist-{VERSION}.zip"
    if not home.exists() and archive.exists():
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
    if not home.exists():
        raise SystemExit(f"Put {archive.name} (Maven: org.keycloak:keycloak-quarkus-dist:{VERSION}:zip) into {folder}.")
    return home


def realm(name: str, people: dict[str, list[str]], reading_room: str, secret: str, password: str) -> dict[str, Any]:
    """What docs/security.md says to click together, with `people` and their roles."""
    mapper = {
        "name": "realm roles", "protocol": "openid-connect", "protocolMapper": "oidc-usermodel-realm-role-mapper",
        "config": {"claim.name": "realm_access.roles", "multivalued": "true", "id.token.claim": "true",
                   "access.token.claim": "true", "jsonType.label": "String"},
    }  # fmt: skip
    client = {
        "clientId": "hilum", "secret": secret, "standardFlowEnabled": True, "directAccessGrantsEnabled": False,
        "redirectUris": [f"{reading_room}/auth/callback"], "protocolMappers": [mapper],
        "attributes": {"pkce.code.challenge.method": "S256", "post.logout.redirect.uris": f"{reading_room}/login"},
    }  # fmt: skip
    users = [
        {"username": who, "enabled": True, "email": f"{who}@example.org", "firstName": who, "lastName": "Test",
         "credentials": [{"type": "password", "value": password}], "realmRoles": roles}
        for who, roles in people.items()
    ]  # fmt: skip
    roles = [{"name": f"hilum-{role}"} for role in ("reader", "lead", "admin")]
    return {"realm": name, "enabled": True, "roles": {"realm": roles}, "clients": [client], "users": users}


@dataclass(frozen=True)
class Keycloak:
    """One that runs."""

    address: str
    admin_password: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """As if the provider were away."""
        self.process.terminate()
        self.process.wait(60)


@contextmanager
def keycloak(port: int, realms: list[dict[str, Any]], admin: str) -> Iterator[Keycloak]:
    """A running Keycloak with its rows in memory."""
    with tempfile.TemporaryDirectory(prefix="hilum-keycloak-") as name:
        home = Path(name) / "keycloak"
        shutil.copytree(distribution(), home)
        (home / "data/import").mkdir(parents=True, exist_ok=True)
        for about in realms:
            (home / f"data/import/{about['realm']}.json").write_text(json.dumps(about), encoding="utf-8")
        java = shutil.which("java")
        if java is None:
            raise SystemExit("Keycloak needs Java 17, which is not there.")
        environment = {
            **os.environ, "KC_DB": "dev-mem", "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
            "KC_BOOTSTRAP_ADMIN_PASSWORD": admin, "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx512m",
        }  # fmt: skip
        log = (Path(name) / "log").open("w+", encoding="utf-8")
        command = ["bash", str(home / "bin/kc.sh"), "start-dev", "--http-host=127.0.0.1", f"--http-port={port}",
                   "--import-realm"]  # fmt: skip
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)  # noqa: S603 - ours
        try:
            address = f"http://127.0.0.1:{port}"
            end = time.monotonic() + START_SECONDS
            while not all(_answers(f"{address}/realms/{each['realm']}") for each in realms):
                if process.poll() is not None or time.monotonic() > end:
                    log.seek(0)
                    raise SystemExit(f"Keycloak did not start:\n{log.read()[-3000:]}")
                time.sleep(0.5)
            yield Keycloak(address, admin, process)
        finally:
            process.terminate()
            process.wait(60)
            log.close()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def rotate(server: Keycloak) -> None:
    """A new signing key in the hospital's realm, before the old one."""
    with httpx.Client(base_url=server.address, timeout=20) as client:
        form = {"client_id": "admin-cli", "username": "admin", "password": server.admin_password}
        form["grant_type"] = "password"
        token = client.post("/realms/master/protocol/openid-connect/token", data=form).json()["access_token"]
        headers = {"authorization": f"Bearer {token}"}
        parent = client.get("/admin/realms/hospital", headers=headers).json()["id"]
        config = {"priority": ["1000"], "keySize": ["2048"], "algorithm": ["RS256"]}
        key = {"name": "new", "providerId": "rsa-generated", "parentId": parent, "config": config}
        key["providerType"] = "org.keycloak.keys.KeyProvider"
        client.post("/admin/realms/hospital/components", headers=headers, json=key).raise_for_status()
