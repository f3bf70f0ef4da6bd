"""Bundles are edited line by line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.promoter.bundle import BadBundle, read, write
from tests.services.promoter.site import OLD, files

TEXT = files()["argocd/environments/production/bundle.yaml"]


def test_what_is_written_is_what_is_read_and_comments_stay() -> None:
    bundle = read(TEXT)
    assert (bundle.digest, bundle.precision, bundle.attempt, bundle.replicas) == (OLD, "fp32", 0, -1)
    assert {image.name for image in bundle.images} >= {"inference", "web", "feedback"}
    other = replace(bundle, digest="f" * 64, precision="int8", attempt=7, replicas=1, exposure=0.05, revision="abc")
    text = write(TEXT, other)
    assert read(text) == other
    assert text.splitlines()[0] == TEXT.splitlines()[0]
    assert write(text, other) == text
    assert len(text.splitlines()) == len(TEXT.splitlines()) + 1
    assert write(text, bundle) == TEXT


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (f"    digest: {OLD}", "    digest: latest", "the release's digest"),
        ("    revision: main", "", "the chart's revision"),
        ("    inference: {", "    inference:  {", "can't be written|other images"),
        ("  chart:", "  run: {attempt: many}\n  chart:", "`run` is not as"),
    ],
)
def test_a_bundle_in_another_format_is_not_guessed(old: str, new: str, said: str) -> None:
    assert old in TEXT
    with pytest.raises(BadBundle, match=said):
        write(TEXT.replace(old, new), read(TEXT))
