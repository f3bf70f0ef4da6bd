"""Versions in the registry, and one of them by its release version or by an alias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.registry.tags import DIGEST, VERSION

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


class NotInRegistry(Exception):
    """The registry has no such version; the text says what it has."""


@dataclass(frozen=True)
class StoredVersion:
    """A version of a registered release. `number` is the registry's own count, `version` the release's."""

    name: str
    number: str
    version: str
    digest: str
    aliases: tuple[str, ...]
    tags: dict[str, str]
    run_id: str
    source: str
    created_ms: int


def versions(client: MlflowClient, name: str) -> list[StoredVersion]:
    """Every version of `name` that is a release, newest first; empty where the name is not registered."""
    aliases = _aliases(client, name)
    found: list[Any] = []
    token = None
    while True:
        page = client.search_model_versions(f"name = '{name}'", max_results=500, page_token=token)
        found += page
        token = page.token
        if not token:
            break
    stored = [_stored(each, aliases.get(str(each.version), ())) for each in found if DIGEST in each.tags]
    return sorted(stored, key=lambda each: int(each.number), reverse=True)


def find(client: MlflowClient, name: str, version: str) -> StoredVersion:
    """The version of `name` whose release version or alias is `version`; raises NotInRegistry."""
    known = versions(client, name)
    for each in known:
        if each.version == version:
            return each
    for each in known:
        if version in each.aliases:
            return each
    if not known:
        raise NotInRegistry(f"no release '{name}' is registered; `hilum release register FOLDER` registers one")
    there = ", ".join([each.version for each in known][:10])
    raise NotInRegistry(f"{name} has no version and no alias '{version}'; it has {there}")


def _aliases(client: MlflowClient, name: str) -> dict[str, tuple[str, ...]]:
    """Aliases by the registry's number: a search does not give them."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        named = client.get_registered_model(name).aliases
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return {}
        raise
    by_number: dict[str, tuple[str, ...]] = {}
    for alias, number in sorted(named.items()):
        by_number[str(number)] = (*by_number.get(str(number), ()), alias)
    return by_number


def _stored(each: Any, aliases: tuple[str, ...]) -> StoredVersion:
    tags = dict(each.tags)
    return StoredVersion(
        each.name,
        str(each.version),
        tags.get(VERSION, ""),
        tags[DIGEST],
        aliases,
        tags,
        each.run_id or "",
        each.source,
        each.creation_timestamp,
    )
