"""What the images of a commit are: size, user, labels, SBOM; and how those that no cluster here runs behave.

    python -m tests.e2e.images [--out docs/benchmarks]     a row per image that `make images` left here
    python -m tests.e2e.images --train                     also `hilum train` of a tiny recipe within the training image
    python -m tests.e2e.images --gpu                       also the GPU variant of inference on a machine without a GPU

Needs root and buildah. An image runs here as in a cluster: as its own user, its root read-only, /tmp and /data in
memory, films or the release as a read-only volume. Writes `images-<cpu>.csv`.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import yaml

from bench.machine import slug
from hilum.settings import REPOSITORY
from tests.fixtures.ports import free_ports
from tests.training.films import small_data, tiny_recipe

NAMES = ("inference", "web", "feedback", "promoter", "mlflow", "training", "inference-gpu")
SERVING = ("inference", "web", "feedback", "promoter")
SERVING_MB = 400
FIELDS = ("image", "figure", "value", "when")
# $1: the image's root; $2: what is mounted on /films. The rest is the command, with the image's environment.
ROOT = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount -t tmpfs tmpfs "$1/tmp"
mount -t tmpfs tmpfs "$1/data"
chmod 1777 "$1/tmp" "$1/data"
mount --bind "$2" "$1/films"
mount -o remount,ro,bind "$1/films"
mount -o remount,ro,bind "$1"
root=$1; shift 2
exec env -i "$@"
"""


def sh(*command: str) -> str:
    """Run, and give what it printed."""
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()


def local(name: str) -> str | None:
    """The newest image of this name that `make images` left here."""
    part, gpu = name.removesuffix("-gpu"), name.endswith("-gpu")
    found = json.loads(sh("buildah", "images", "--json", "--filter", f"reference=localhost/hilum-{part}"))
    tags = [(each["createdatraw"], tag) for each in found for tag in each["names"] if tag.endswith("-gpu") == gpu]
    return max(tags)[1] if tags else None


def about(image: str) -> dict[str, str]:
    """Its size as stored, layers, user, labels, and how many packages its SBOM names."""
    (stored,) = json.loads(sh("buildah", "images", "--json", image))
    described = json.loads(sh("buildah", "inspect", "--type", "image", image))["OCIv1"]
    labels = described["config"]["Labels"]
    with mounted(image) as root:
        sbom = json.loads((root / "opt/venv/sbom.cdx.json").read_text(encoding="utf-8"))
        size = int(sh("du", "-sb", "--one-file-system", str(root)).split()[0])
    return {
        "MB": f"{size / 1e6:.0f}",
        "MB as buildah says": str(stored["size"]),
        "layers": str(len(described["rootfs"]["diff_ids"])),
        "user": described["config"]["User"],
        "revision": labels["org.opencontainers.image.revision"],
        "packages in the SBOM": str(len(sbom["components"])),
    }


@contextmanager
def mounted(image: str) -> Iterator[Path]:
    """The image's root."""
    container = sh("buildah", "from", "--pull-never", image)
    try:
        yield Path(sh("buildah", "mount", container))
    finally:
        sh("buildah", "rm", container)


@contextmanager
def running(image: str, volume: Path, command: list[str], **environment: str) -> Iterator[subprocess.Popen[str]]:
    """`command` within the image, as its user on a read-only root, `volume` on /films."""
    described = json.loads(sh("buildah", "inspect", "--type", "image", image))["OCIv1"]["config"]
    given = [*described["Env"], *(f"{name}={value}" for name, value in environment.items())]
    with mounted(image) as root:
        for name in ("proc", "dev", "tmp", "data", "films"):
            (root / name).mkdir(exist_ok=True)
        within = ["/usr/sbin/chroot", f"--userspec={described['User']}", str(root), *command]
        namespaces = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
        process = subprocess.Popen(
            [*namespaces, "bash", "-c", ROOT, "-", str(root), str(volume), *given, *within],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            # unshare takes no notice of SIGTERM; with it goes whatever runs within.
            process.kill()
            process.wait(60)


def trains(image: str) -> dict[str, str]:
    """From 240 real films to a signed release, within the image; and that its root can't be written."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        data = small_data(place / "films")
        recipe = tiny_recipe(data).model_dump(mode="json")
        (place / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
        with running(image, place, ["python", "-c", "open('/app/x', 'w')"]) as refused:
            said = refused.communicate()[0]
        assert "Read-only file system" in said, said
        hilum = ["python", "-c", "from services.cli import main; main()", "train", "/films/recipe.yaml"]
        began = time.monotonic()
        options = ["--data", "/films/films", "--work", "/data/run", "--store", "/data/store", "--no-tracking"]
        with running(image, place, [*hilum, *options]) as process:
            said = process.communicate()[0]
        assert process.returncode == 0, said[-3000:]
        assert "release: /data/run/release" in said, said[-3000:]
        digest = next(line.split()[-1] for line in said.splitlines() if line.strip().startswith("digest "))
    return {
        "root": "read-only",
        "a tiny release trained, s": f"{time.monotonic() - began:.0f}",
        "its digest": digest,
    }


def starts_without_gpu(image: str) -> dict[str, str]:
    """What the GPU variant says where there is no GPU: asked for one, and left to choose."""
    found: dict[str, str] = {}
    for provider in ("cuda", "auto"):
        port = free_ports(1)[0]
        environment = {
            "HILUM_PROVIDER": provider,
            "HILUM_PORT": str(port),
            "HILUM_HOST": "127.0.0.1",
            "HILUM_RELEASE": "/films/default",
            "HILUM_TRUSTED_KEYS": "/films/trusted-keys.txt",
        }
        command = ["python", "-m", "services.inference"]
        with running(image, REPOSITORY / "models", command, **environment) as process:
            end = time.monotonic() + 180
            while time.monotonic() < end and process.poll() is None:
                try:
                    answer = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=10)
                    found[f"/readyz with provider {provider}"] = f"{answer.status_code} {answer.text[:400]}"
                    if answer.status_code == 200:
                        model = httpx.get(f"http://127.0.0.1:{port}/v1/model", timeout=10).json()
                        found["chosen, and why"] = f"{model['provider']}: {model['provider_reason']}"
                    if "being loaded" not in answer.text:
                        break
                except httpx.TransportError:
                    pass
                time.sleep(1)
    return found


def main() -> None:
    """Look at each image, and write the rows."""
    parser = argparse.ArgumentParser(description="What the images of make images are.")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "benchmarks")
    parser.add_argument("--train", action="store_true", help="train a tiny recipe within the training image")
    parser.add_argument("--gpu", action="store_true", help="start the GPU variant on this machine without a GPU")
    parser.add_argument("--only", action="append", choices=NAMES, help="this image alone; may be given more than once")
    options = parser.parse_args()
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    path = options.out / f"images-{slug()}.csv"
    kept: dict[tuple[str, str], dict[str, str]] = {}
    if path.exists():
        with path.open(newline="", encoding="utf-8") as stream:
            kept = {(row["image"], row["figure"]): row for row in csv.DictReader(stream)}
    for name in options.only or NAMES:
        image = local(name)
        if image is None:
            sys.stdout.write(f"{name}: not here; make images IMAGES={name}\n")
            continue
        facts = about(image)
        if name in SERVING:
            assert int(facts["MB"]) <= SERVING_MB, f"{name}: {facts['MB']} MB"
        assert facts["user"] == "65532:65532", facts
        assert facts["revision"] in image, f"{image}: its label says {facts['revision']}"
        if name == "training" and options.train:
            facts |= trains(image)
        if name == "inference-gpu" and options.gpu:
            facts |= starts_without_gpu(image)
        for figure, value in facts.items():
            kept[name, figure] = dict(zip(FIELDS, (name, figure, value, when), strict=True))
            sys.stdout.write(f"{name}: {figure}: {value}\n")
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(kept.values(), key=lambda row: NAMES.index(row["image"])))


if __name__ == "__main__":
    main()
