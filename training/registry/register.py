"""A release becomes a version: verified, uploaded, read back, and only then named.

The version is the last thing that is made, so a broken registration leaves none. A run that holds its files and was
made for it is deleted again.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.release import BadRelease, Release, read_release
from hilum.release.bundle import MANIFEST_FILE
from hilum.release.signing import SIGNATURE_FILE
from training.registry.errors import NotRegistered
from training.registry.fetch import download
from training.registry.tags import FOLDER, card_of, tags_of
from training.registry.versions import StoredVersion, versions
from training.tracking.place import Place, experiment

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

EXPERIMENT = "hilum-releases"
# On PostgreSQL the description has 5,000 characters; SQLite would take more.
LONGEST_CARD = 4900
CUT = "\n\n(Cut here. The whole card is in the version's artifacts.)\n"


@dataclass(frozen=True)
class Registered:
    """The version in the registry; `new` is false where the same digest had been registered before."""

    version: StoredVersion
    new: bool


def register(
    client: MlflowClient, where: Place, release: Release, run_id: str | None = None, more: dict[str, str] | None = None
) -> Registered:
    """Register a verified `release`, into its training's MLflow run `run_id` or into a run of its own.

    `more` are further tags. Raises NotRegistered: another content stands under this name and version, or the upload
    failed; then there is no new version.
    """
    if known := _known(client, release):
        return Registered(known, new=False)
    own = run_id is None
    if run_id is None:
        number = experiment(where, client, EXPERIMENT)
        title = f"register {release.manifest.name} {release.manifest.version}"
        run_id = str(client.create_run(number, run_name=title).info.run_id)
    try:
        source = _upload(client, release, run_id)
    except Exception as error:
        left = "nothing is registered"
        if own:
            with suppress(Exception):
                client.set_terminated(run_id, status="FAILED")
                client.delete_run(run_id)
                left += ", and the run that held its files is deleted"
        title = f"{release.manifest.name} {release.manifest.version}"
        raise NotRegistered(f"the upload of {title} failed ({error}); {left}") from error
    if own:
        client.set_terminated(run_id)
    return _name(client, release, run_id, source, more or {})


def _known(client: MlflowClient, release: Release) -> StoredVersion | None:
    manifest = release.manifest
    for each in versions(client, manifest.name):
        if each.digest == release.digest:
            return each
        if each.version == manifest.version:
            raise NotRegistered(
                f"{manifest.name} {manifest.version} is registered with another content (digest {each.digest}); "
                "a version never changes: give this release a version of its own"
            )
    return None


def _upload(client: MlflowClient, release: Release, run_id: str) -> str:
    """Upload the release's files alone, read them back, and return where they are."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "out"
        copy.mkdir()
        for name in [MANIFEST_FILE, SIGNATURE_FILE, *release.manifest.files]:
            if name in release.manifest.files or (release.folder / name).exists():
                shutil.copyfile(release.folder / name, copy / name)
        # What is uploaded is what was verified, whatever happened to the folder since.
        if read_release(copy).digest != release.digest:
            raise BadRelease("the folder changed while it was registered")
        client.log_artifacts(run_id, str(copy), FOLDER)
        source = f"{client.get_run(run_id).info.artifact_uri.rstrip('/')}/{FOLDER}"
        back = Path(scratch) / "back"
        back.mkdir()
        stored = read_release(download(client, run_id, source, back)).digest
        if stored != release.digest:
            raise BadRelease(f"what is stored has digest {stored}, not {release.digest}")
    return source


def _name(client: MlflowClient, release: Release, run_id: str, source: str, more: dict[str, str]) -> Registered:
    """Make the version; where another process was faster, its version is the one."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    name = release.manifest.name
    fresh = not versions(client, name) and _first(client, name)
    try:
        made = client.create_model_version(
            name,
            source,
            run_id=run_id,
            tags=tags_of(release) | more,
            description=short(card_of(release)),
            await_creation_for=0,
        )
    except MlflowException as error:
        if fresh:
            with suppress(MlflowException):
                client.delete_registered_model(name)
        reason = str(error).strip().partition("\n")[0]
        raise NotRegistered(
            f"the files of {name} {release.manifest.version} are uploaded (run {run_id}), but the registry made no "
            f"version of them: {reason}. Register again when that is mended"
        ) from error
    rivals = [v for v in versions(client, name) if v.version == release.manifest.version]
    first = min(rivals, key=lambda v: int(v.number))
    if first.number != str(made.version):
        client.delete_model_version(name, str(made.version))
        if first.digest != release.digest:
            raise NotRegistered(f"{name} {first.version} was registered meanwhile with another content")
        return Registered(first, new=False)
    return Registered(first, new=True)


def _first(client: MlflowClient, name: str) -> bool:
    """Make the name; false where it is there, without a version or since a moment ago."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code == "RESOURCE_ALREADY_EXISTS":
            return False
        raise
    return True


def short(card: str) -> str:
    """The card, or its first whole lines where the registry has no room for all of it."""
    if len(card) <= LONGEST_CARD:
        return card
    return card[: card.rindex("\n", 0, LONGEST_CARD - len(CUT))] + CUT
