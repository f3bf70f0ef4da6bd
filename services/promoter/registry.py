"""MLflow's model registry, by its REST interface: who asks to be promoted, and what became of whom.

Aliases and tags follow Git and the cluster and never lead them; every call may be repeated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import httpx

from services.promoter.promotion import Candidate, Promotion
from services.promoter.states import State

ALIAS = "candidate"
DIGEST, VERSION, PRECISION = "hilum.digest", "hilum.version", "hilum.default_precision"
REJECTED, INTERRUPTED, PROMOTION = "hilum.rejected", "hilum.interrupted", "hilum.promotion"
FOLDER = "release"
API = "/api/2.0/mlflow"
LARGEST_FILE = 4_000_000_000
LONGEST_TAG = 4900


class RegistryUnavailable(Exception):
    """MLflow does not answer as it should; try again later."""


@dataclass(frozen=True)
class Version:
    """A version of the registry that is a release."""

    candidate: Candidate
    tags: dict[str, str]
    source: str
    run_id: str


class Registry:
    """The registered model `model` at `url`. `token` is sent as a bearer, or as user:password."""

    def __init__(self, url: str, model: str, token: str = "", seconds: float = 10.0) -> None:
        self.url = url.rstrip("/")
        self.model = model
        auth = httpx.BasicAuth(*token.split(":", 1)) if ":" in token else None
        headers = {"Authorization": f"Bearer {token}"} if token and auth is None else {}
        self._client = httpx.Client(base_url=self.url, timeout=seconds, trust_env=False, headers=headers, auth=auth)

    def candidate(self) -> Version | None:
        """Who has the alias `candidate`; None: nobody. Raises RegistryUnavailable."""
        found = self._call("GET", "registered-models/alias", params={"name": self.model, "alias": ALIAS}, absent=None)
        return None if found is None else self._version(found["model_version"])

    def number_of(self, digest: str) -> str | None:
        """The number of the version with this digest; None: it is not registered."""
        where = f"name = '{self.model}' AND tags.`{DIGEST}` = '{digest}'"
        found = self._call("GET", "model-versions/search", params={"filter": where, "max_results": 2}, absent={})
        versions = (found or {}).get("model_versions") or []
        return str(versions[0]["version"]) if versions else None

    def aliases(self) -> dict[str, str]:
        """The model's aliases and the numbers that they name."""
        found = self._call("GET", "registered-models/get", params={"name": self.model}, absent={})
        entries = ((found or {}).get("registered_model") or {}).get("aliases") or []
        return {entry["alias"]: str(entry["version"]) for entry in entries}

    def set_alias(self, alias: str, number: str) -> None:
        """Let `alias` name the version `number`."""
        body = {"name": self.model, "alias": alias, "version": number}
        self._call("POST", "registered-models/alias", json=body)

    def drop_alias(self, alias: str) -> None:
        """Let `alias` name nothing."""
        self._call("DELETE", "registered-models/alias", json={"name": self.model, "alias": alias}, absent=None)

    def close(self, ended: Promotion) -> bool:
        """Say in the registry how `ended` ended; whether there was something to say.

        The tag `hilum.promotion` comes last: once it is there, the alias on this version is a new request.
        """
        number = ended.candidate.number
        version = self._get(number)
        if version is None:
            return False
        told = json.dumps({"promotion": ended.id, "state": ended.state.value})
        if version.tags.get(PROMOTION, "") == told:
            return False
        if (
            self.aliases().get(ALIAS) == number
            and json.loads(version.tags.get(PROMOTION) or "{}").get("promotion") != ended.id
        ):
            self.drop_alias(ALIAS)
        last = ended.timeline[-1]
        if ended.state is State.REJECTED:
            self._tag(number, REJECTED, json.dumps(ended.failed or {"reason": last.reason, "by": last.by}))
        elif ended.state in {State.EXPIRED, State.ROLLED_BACK, State.SUPERSEDED}:
            self._tag(number, INTERRUPTED, json.dumps({"state": ended.state.value, "reason": last.reason}))
        if record := next((n.record for n in reversed(ended.timeline) if n.record), ""):
            self._tag(number, "hilum.evidence", record)
        self._tag(number, PROMOTION, told)
        return True

    def interrupted(self, promotion: Promotion) -> None:
        """Say that an attempt was interrupted, once per attempt."""
        version = self._get(promotion.candidate.number)
        last = promotion.timeline[-1]
        told = json.dumps({"state": "interrupted", "reason": last.reason, "attempt": promotion.attempt})
        if version is not None and version.tags.get(INTERRUPTED) != told:
            self._tag(promotion.candidate.number, INTERRUPTED, told)

    def fetch(self, version: Version, target: Path) -> Path:
        """Download the version's release into the empty folder `target`, flat; nothing is verified here."""
        params = {"name": self.model, "version": version.candidate.number}
        for name in self._names(version):
            if PurePosixPath(name).name != name or name in {"", ".", ".."}:
                raise RegistryUnavailable(f"the stored release has a file called {name!r}")
            try:
                with self._client.stream(
                    "GET", "/model-versions/get-artifact", params={**params, "path": name}, timeout=120
                ) as answer:
                    if not answer.is_success:
                        raise RegistryUnavailable(f"MLflow answered {answer.status_code} for the file {name}")
                    with (target / name).open("wb") as stream:
                        for part in answer.iter_bytes():
                            stream.write(part)
            except httpx.HTTPError as error:
                raise RegistryUnavailable(f"MLflow: {type(error).__name__} {error}".strip()) from error
        return target

    def _names(self, version: Version) -> list[str]:
        """The files that the manifest names, and the two that describe it."""
        manifest = self._client_get(
            "/model-versions/get-artifact",
            {"name": self.model, "version": version.candidate.number, "path": "manifest.json"},
        )
        try:
            files = list(json.loads(manifest)["files"])
        except (KeyError, TypeError, ValueError) as error:
            raise RegistryUnavailable("what is stored is not a release: its manifest can't be read") from error
        return [*files, "manifest.json", "signature.json"]

    def _client_get(self, path: str, params: dict[str, str]) -> bytes:
        try:
            answer = self._client.get(path, params=params)
        except httpx.HTTPError as error:
            raise RegistryUnavailable(f"MLflow: {type(error).__name__} {error}".strip()) from error
        if not answer.is_success:
            raise RegistryUnavailable(f"MLflow answered {answer.status_code} for {params.get('path', path)}")
        return answer.content

    def _get(self, number: str) -> Version | None:
        found = self._call("GET", "model-versions/get", params={"name": self.model, "version": number}, absent=None)
        return None if found is None else self._version(found["model_version"])

    def _tag(self, number: str, key: str, value: str) -> None:
        body = {"name": self.model, "version": number, "key": key, "value": value[:LONGEST_TAG]}
        self._call("POST", "model-versions/set-tag", json=body)

    def _version(self, of: dict[str, Any]) -> Version:
        tags = {tag["key"]: tag.get("value", "") for tag in of.get("tags", [])}
        number = str(of["version"])
        made = Candidate(self.model, number, tags.get(VERSION, number), tags.get(DIGEST, ""), tags.get(PRECISION, ""))
        return Version(made, tags, of.get("source", ""), of.get("run_id", ""))

    def _call(self, method: str, what: str, *, absent: Any = RegistryUnavailable, **kw: Any) -> Any:
        try:
            answer = self._client.request(method, f"{API}/{what}", **kw)
            document = answer.json() if answer.content else {}
        except (httpx.HTTPError, ValueError) as error:
            raise RegistryUnavailable(f"MLflow: {type(error).__name__} {error}".strip()) from error
        if answer.is_success:
            return document
        said = str(document.get("message", "")) if isinstance(document, dict) else ""
        code = document.get("error_code") if isinstance(document, dict) else ""
        gone = code == "RESOURCE_DOES_NOT_EXIST" or (code == "INVALID_PARAMETER_VALUE" and "not found" in said)
        if gone and absent is not RegistryUnavailable:
            return absent
        raise RegistryUnavailable(f"MLflow answered {answer.status_code} to {what}: {said[:200]}")
