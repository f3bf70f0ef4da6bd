"""From the registry to a verified folder."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.release import BadRelease, Release, read_release
from training.registry.errors import NotRegistered
from training.registry.tags import FOLDER
from training.registry.versions import StoredVersion

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


def download(client: MlflowClient, run_id: str, source: str, target: Path) -> Path:
    """The stored folder `source` of run `run_id`, below the empty folder `target`."""
    root = client.get_run(run_id).info.artifact_uri.rstrip("/")
    inside = source.removeprefix(f"{root}/") if source.startswith(f"{root}/") else FOLDER
    return Path(client.download_artifacts(run_id, inside, str(target)))


def stored_release(
    client: MlflowClient, version: StoredVersion, target: Path, trusted: frozenset[str] | None
) -> Release:
    """Download `version` below `target` and verify it; raises NotRegistered where it is not what its tag says."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    title = f"{version.name} {version.version}"
    try:
        release = read_release(download(client, version.run_id, version.source, target), trusted)
    except (BadRelease, MlflowException, OSError) as error:
        raise NotRegistered(f"what is stored for {title} can't be used: {error}") from error
    if release.digest != version.digest:
        raise NotRegistered(
            f"what is stored for {title} has digest {release.digest}, its tag says {version.digest}: "
            "it was changed after it was registered"
        )
    return release


def fetch(client: MlflowClient, version: StoredVersion, out: Path, trusted: frozenset[str] | None) -> Release:
    """Write `version` to the folder `out`, verified, in one move; raises NotRegistered. A folder in use stays."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise NotRegistered(f"{out} is there already; name a folder that is not, for a release is never overwritten")
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.absolute().parent, prefix=f".{out.name}-") as scratch:
        release = stored_release(client, version, Path(scratch), trusted)
        release.folder.chmod(0o755)
        release.folder.replace(out.absolute())
    return Release(out, release.manifest, release.digest, release.signed_by)
