"""An environment's bundle.yaml: read, and edited line by line, so that a person's comments stay.

The format is the one that `make publish` writes. The promoter's own line is `run`: which attempt this is, how many pods
of inference (-1: as the environment's values say), and the share of patients exposed to canary.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from hilum.release.store import plain_digest

ENVIRONMENTS = ("staging", "canary", "production")
FOLDER = "argocd/environments"
_IMAGE = re.compile(r'(?m)^    (?P<name>\w+): \{repository: (?P<repository>[^\s,}]+), digest: "(?P<digest>[^"]*)"\}$')
_RUN = re.compile(
    r"(?m)^  run: \{attempt: (?P<attempt>\d+), replicas: (?P<replicas>-?\d+), exposure: (?P<exposure>[0-9.]+)\}$"
)


class BadBundle(ValueError):
    """The file is not as `make publish` writes it; the text says which line is missing."""


@dataclass(frozen=True)
class Image:
    """An image by digest."""

    name: str
    repository: str
    digest: str


@dataclass(frozen=True)
class Bundle:
    """What runs in an environment as one unit, and how it runs while a promotion goes on."""

    digest: str
    precision: str
    images: tuple[Image, ...]
    revision: str
    attempt: int = 0
    replicas: int = -1
    exposure: float = 0.0

    def resting(self) -> Bundle:
        """The same without the promotion's own line: for comparing what runs."""
        return replace(self, attempt=0, replicas=-1, exposure=0.0)


def path_of(environment: str) -> str:
    """The file of `environment`, from the repository's root."""
    return f"{FOLDER}/{environment}/bundle.yaml"


def _one(text: str, pattern: str, what: str) -> str:
    found = re.findall(pattern, text)
    if len(found) != 1:
        raise BadBundle(f"the bundle has {len(found) or 'no'} lines for {what}; `make publish` shows the format")
    return str(found[0])


def read(text: str) -> Bundle:
    """Parse the text of a bundle.yaml; raises BadBundle."""
    digest = _one(text, r"(?m)^    digest: ([0-9a-f]{64})$", "the release's digest")
    precision = _one(text, r"(?m)^    precision: (\S*)$", "the release's precision")
    revision = _one(text, r"(?m)^    revision: (\S+)$", "the chart's revision")
    images = tuple(Image(**found.groupdict()) for found in _IMAGE.finditer(text))
    if not images:
        raise BadBundle("the bundle names no image; `make publish` shows the format")
    bundle = Bundle(plain_digest(digest), precision.strip('"'), images, revision)
    runs = list(_RUN.finditer(text))
    if len(runs) > 1 or (not runs and re.search(r"(?m)^  run:", text)):
        raise BadBundle("the bundle's line `run` is not as the promoter writes it")
    if runs:
        run = runs[0].groupdict()
        bundle = replace(
            bundle, attempt=int(run["attempt"]), replicas=int(run["replicas"]), exposure=float(run["exposure"])
        )
    return bundle


def write(text: str, bundle: Bundle) -> str:
    """`text` with the lines of `bundle`; all else stays. Raises BadBundle where a line is missing."""
    before = read(text)
    if {i.name for i in before.images} != {i.name for i in bundle.images}:
        raise BadBundle("the bundle names other images than the one that moves; publish the same set everywhere")
    text = re.sub(r"(?m)^    digest: [0-9a-f]{64}$", f"    digest: {bundle.digest}", text)
    text = re.sub(r"(?m)^    precision: \S*$", f"    precision: {bundle.precision}", text)
    text = re.sub(r"(?m)^    revision: \S+$", f"    revision: {bundle.revision}", text)
    for image in bundle.images:
        line = f'    {image.name}: {{repository: {image.repository}, digest: "{image.digest}"}}'
        text = re.sub(rf"(?m)^    {image.name}: \{{repository: .*\}}$", line, text)
    run = f"  run: {{attempt: {bundle.attempt}, replicas: {bundle.replicas}, exposure: {bundle.exposure:g}}}"
    if bundle == bundle.resting():
        text = re.sub(r"(?m)^  run: .*\n", "", text)
    elif _RUN.search(text):
        text = _RUN.sub(run, text)
    else:
        text = re.sub(r"(?m)^(    precision: \S*)$", rf"\g<1>\n{run}", text)
    if read(text) != bundle:
        raise BadBundle("the bundle can't be written as it should be; `make publish` shows the format")
    return text
