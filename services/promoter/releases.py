"""A candidate's release: taken from the registry, verified, and put into the store from which clusters fetch it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from hilum.release import BadRelease
from hilum.release.store import push_release
from hilum.storage import Blobs, BlobsUnavailable
from services.promoter.inspect import REFUSED
from services.promoter.promotion import Candidate
from services.promoter.registry import Registry, RegistryUnavailable, Version

SECONDS = 300


class ReleaseUnavailable(Exception):
    """Registry or store do not answer, or the check could not be made: nothing is known of the release."""


class Releases:
    """`store` keeps releases by digest; `keys` is the file of trusted public keys."""

    def __init__(self, registry: Registry, store: Blobs, keys: Path) -> None:
        self._registry = registry
        self._store = store
        self._keys = keys
        self._stored: set[str] = set()

    def take(self, version: Version) -> Candidate:
        """Verify the version's release and keep it in the store; returns the candidate as its release says.

        Raises BadRelease: it must never run. ReleaseUnavailable: try again later.
        """
        if version.candidate.digest in self._stored:
            return version.candidate
        with tempfile.TemporaryDirectory() as scratch:
            try:
                folder = self._registry.fetch(version, Path(scratch))
                candidate = self._inspect(folder, version.candidate)
                push_release(folder, self._store)
            except (RegistryUnavailable, BlobsUnavailable, OSError) as error:
                raise ReleaseUnavailable(str(error)) from error
        self._stored.add(candidate.digest)
        return candidate

    def _inspect(self, folder: Path, claimed: Candidate) -> Candidate:
        command = [sys.executable, "-m", "services.promoter.inspect", str(folder), str(self._keys)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603
        except subprocess.TimeoutExpired as error:
            raise ReleaseUnavailable(f"the release was not checked within {SECONDS} s") from error
        if done.returncode == REFUSED:
            raise BadRelease(done.stderr.strip().splitlines()[-1])
        if done.returncode:
            raise ReleaseUnavailable(f"the check of the release ended with status {done.returncode}")
        found = json.loads(done.stdout)
        if found["digest"] != claimed.digest:
            raise BadRelease(
                f"what is stored has digest {found['digest']}, its tag says {claimed.digest or 'nothing'}: it was "
                "changed after it was registered"
            )
        return Candidate(claimed.model, claimed.number, found["version"], found["digest"], found["precision"])
