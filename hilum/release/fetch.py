"""`python -m hilum.release.fetch`: bring the release of a digest into an empty folder, verified, and end.

An init container of inference's pod. What is wrong is one line on stderr, the last one: Kubernetes shows it as the
container's termination message (`terminationMessagePolicy: FallbackToLogsOnError`).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from pydantic import Field

from hilum.release.bundle import BadRelease
from hilum.release.signing import BadSignature, read_trusted
from hilum.release.store import fetch_release
from hilum.settings import REPOSITORY, ServiceSettings, from_environment
from hilum.storage.blobs import BlobsUnavailable
from hilum.storage.open import open_blobs

# A store that is just starting is waited for this long; then the pod says what is wrong, and Kubernetes tries again.
PATIENCE_SECONDS = 20.0
PAUSE_SECONDS = 2.0


class FetchSettings(ServiceSettings):
    """What fetching a release reads from the environment."""

    release_store: str = Field(
        default="", description="Where releases lie: s3://bucket/prefix or file:///folder, a folder per digest."
    )
    release_digest: str = Field(default="", description="Digest of the release to fetch: 64 hexadecimal digits.")
    release: Path = Field(default=REPOSITORY / "models" / "default", description="Folder that the release comes into.")
    trusted_keys: str = Field(
        default=str(REPOSITORY / "models" / "trusted-keys.txt"),
        description="File of public keys whose signature the release must carry; empty: hashes are checked alone.",
    )


def run(settings: FetchSettings, patience_seconds: float) -> str:
    """Fetch, and say what came; raises BadRelease, BlobsUnavailable, OSError, ValueError (a wrong store)."""
    try:
        trusted = read_trusted(Path(settings.trusted_keys)) if settings.trusted_keys else None
    except BadSignature as error:
        raise BadRelease(str(error)) from error
    store = open_blobs(settings.release_store, settings.s3_endpoint)
    end = time.monotonic() + patience_seconds
    while True:
        try:
            release = fetch_release(store, settings.release_digest, settings.release, trusted)
            break
        except BlobsUnavailable as error:
            if time.monotonic() > end:
                raise
            sys.stderr.write(f"waiting for the store: {error}\n")
            time.sleep(PAUSE_SECONDS)
    signed = f"signed by {release.signed_by}" if release.signed_by else "signature not checked"
    return f"{release.manifest.name} {release.manifest.version} {release.digest} ({signed})"


def main() -> None:
    """Run once; status 1 with one line where the release can't be had."""
    settings = from_environment(FetchSettings)
    try:
        sys.stdout.write(f"release: {run(settings, PATIENCE_SECONDS)}\n")
    except (BadRelease, BlobsUnavailable) as error:
        sys.exit(f"release refused: {error}")
    except OSError as error:
        sys.exit(f"release refused: {settings.release} can't be written: {error.strerror}")
    except ValueError as error:
        sys.exit(f"HILUM_RELEASE_STORE: {error}")


if __name__ == "__main__":
    main()
