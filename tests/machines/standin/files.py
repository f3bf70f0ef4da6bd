"""Where things lie, as in K3s: the binary unpacks what it holds below /var/lib/rancher/k3s/data."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

DATA = Path("/var/lib/rancher/k3s")
SERVER, AGENT = DATA / "server", DATA / "agent"
TLS = SERVER / "tls"
ARCHIVE = Path(sys.argv[0]).resolve()


def _inside(name: str) -> str:
    with zipfile.ZipFile(ARCHIVE) as archive:
        return archive.read(name).decode()


VERSION = _inside("VERSION")


def binaries() -> Path:
    """The folder of binaries, unpacked once per version."""
    folder = DATA / "data" / _inside("DIGEST") / "bin"
    if not (folder / ".whole").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(ARCHIVE) as archive:
            for name in archive.namelist():
                if name.startswith("bin/"):
                    target = folder / Path(name).name
                    target.unlink(missing_ok=True)
                    target.write_bytes(archive.read(name))
                    target.chmod(0o755)
        (folder / ".whole").touch()
    return folder
