"""`python3 prune.py`: take from /opt/venv what no service runs, in an image's build stage. The SBOM stays true.

What goes: other people's tests, type stubs and static libraries; the descriptions of AWS services other than S3; the
training tools of ONNX Runtime; and second copies of a shared library under another of its names, which become links.
"""

from __future__ import annotations

import filecmp
import shutil
from pathlib import Path

VENV = Path("/opt/venv/lib")
AWS_SERVICES = {"s3", "sts", "sso", "sso-oidc"}
ONNXRUNTIME_TOOLS = ("transformers", "tools", "quantization")
FILES = ("*.pyi", "*.a", "*.pxd", "*.h", "*.c")


def remove_what_no_service_runs(packages: Path) -> None:
    """Remove folders and files that are only for developers of the packages."""
    folders = [p for p in packages.rglob("tests") if p.is_dir()]
    folders += [packages / "onnxruntime" / name for name in ONNXRUNTIME_TOOLS]
    described = packages / "botocore" / "data"
    if described.is_dir():
        folders += [p for p in described.iterdir() if p.is_dir() and p.name not in AWS_SERVICES]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    for pattern in FILES:
        for path in packages.rglob(pattern):
            path.unlink(missing_ok=True)


def link_copies(packages: Path) -> None:
    """A wheel has no links: libx.so, libx.so.3 and libx.so.3.2 are three copies. Keep one."""
    for folder in {p.parent for p in packages.rglob("*.so*")}:
        kept: list[Path] = []
        for path in sorted((p for p in folder.glob("*.so*") if p.is_file()), key=lambda p: -len(p.name)):
            same = next((k for k in kept if filecmp.cmp(k, path, shallow=False)), None)
            if same is None:
                kept.append(path)
            else:
                path.unlink()
                path.symlink_to(same.name)


def main() -> None:
    """Do both."""
    for packages in VENV.glob("python3*/site-packages"):
        remove_what_no_service_runs(packages)
        link_copies(packages)


if __name__ == "__main__":
    main()
