"""`python3 rootfs.py TARGET [PROGRAM...]`: the least root file system on which /opt/venv runs, for an image.

Run in an image's build stage. It holds the interpreter with its library, the further programs, the shared libraries
that these and /opt/venv are linked to, the root certificates and one user: no shell, no package manager, nothing to log
in to.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

VENV = Path("/opt/venv")
# Of the standard library: what no service uses and what only a developer needs.
LEFT_OUT = (
    "test",
    "idlelib",
    "lib2to3",
    "turtledemo",
    "ensurepip",
    "tkinter",
    "pydoc_data",
    "dist-packages",
    "site-packages",
)
KEPT = ("/etc/ssl/certs/ca-certificates.crt", "/etc/mime.types", "/usr/share/zoneinfo/UTC")
USERS = "root:x:0:0::/:/nonexistent\nhilum:x:65532:65532::/tmp:/nonexistent\n"
GROUPS = "root:x:0:\nhilum:x:65532:\n"


def copy(path: Path, target: Path) -> None:
    """Copy one file to the same place below `target`, following links."""
    place = target / path.relative_to("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, place)


def libraries(*folders: Path, further: Sequence[Path] = ()) -> set[Path]:
    """The shared libraries outside `folders` that the programs in them, and `further` ones, are linked to."""
    programs = [p for folder in folders for p in folder.rglob("*") if p.is_file() and p.read_bytes()[:4] == b"\x7fELF"]
    found: set[Path] = set()
    for program in [Path(sys.executable).resolve(), *further, *programs]:
        done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)  # noqa: S603, S607
        found.update(Path(name) for name in re.findall(r"(/\S+) \(0x", done.stdout))
    return {path for path in found if not any(path.resolve().is_relative_to(folder) for folder in folders)}


def main() -> None:
    """Make the tree."""
    target = Path(sys.argv[1])
    library = Path(sysconfig.get_path("stdlib"))
    interpreter = Path(sys.executable).resolve()
    shutil.copytree(
        library,
        target / library.relative_to("/"),
        symlinks=False,
        ignore_dangling_symlinks=True,
        ignore=shutil.ignore_patterns("__pycache__", "*.a", "config-3*", *LEFT_OUT),
    )
    further = [Path(name) for name in sys.argv[2:]]
    for path in (interpreter, *further, *sorted(libraries(library, VENV, further=further))):
        copy(path, target)
    # The virtual environment names the interpreter by a link; the link's own targets must exist too.
    link = VENV / "bin" / "python3"
    while link.is_symlink():
        link = link.parent / link.readlink()
        place = target / link.relative_to("/")
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(interpreter)
    for name in KEPT:
        if Path(name).is_file():
            copy(Path(name), target)
    (target / "etc").mkdir(exist_ok=True)
    (target / "etc/passwd").write_text(USERS, encoding="utf-8")
    (target / "etc/group").write_text(GROUPS, encoding="utf-8")
    (target / "tmp").mkdir()
    (target / "tmp").chmod(0o1777)


if __name__ == "__main__":
    main()
