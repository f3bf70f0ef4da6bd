"""`python3 -m services.slim`: take from /opt/venv what no training runs, in the build stage of its image.

What goes: other people's tests, headers, stubs and static libraries; what Ray brings for Java; and of CUDA the solver
for several GPUs in one call and the code for kernels of one's own, which nothing here is linked to. The tools of ONNX
Runtime stay, unlike in a service's image: the export quantises with them. Second copies of a library become links.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from services.prune import VENV, link_copies

FILES = ("*.a", "*.h", "*.hpp", "*.cuh", "*.pxd", "*.pyi")
PARTS = ("nvidia/*/lib/libcusolverMg.so*", "nvidia/nvshmem/lib/*.bc", "ray/jars")


def remove_what_no_training_runs(packages: Path) -> None:
    """Remove files and folders that are for developers of the packages, or for other languages."""
    found = [path for path in packages.rglob("tests") if path.is_dir()]
    for pattern in PARTS:
        found += packages.glob(pattern)
    for pattern in FILES:
        found += packages.rglob(pattern)
    for path in found:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def main() -> None:
    """Do both."""
    for packages in VENV.glob("python3*/site-packages"):
        remove_what_no_training_runs(packages)
        link_copies(packages)


if __name__ == "__main__":
    main()
