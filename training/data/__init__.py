"""Data sets in, one manifest out."""

from __future__ import annotations

from pathlib import Path

from training.data.kermany import read_kermany
from training.data.manifest import BadData, Film
from training.data.nih import TABLE, nih_findings, read_nih

__all__ = ["BadData", "Film", "nih_findings", "read_all"]


def read_all(folder: Path) -> list[Film]:
    """All films of the NIH and Kermany folders below `folder`; raises BadData with the remedy where one is missing."""
    nih, kermany = folder / "nih128", folder / "kermany224"
    for path in (nih / TABLE, nih / "images", kermany):
        if not path.exists():
            raise BadData(
                f"no training data: {path.relative_to(folder)} is missing from the data folder; "
                "set HILUM_TRAINING_DATA to the folder that holds nih128/ and kermany224/"
            )
    findings = nih_findings()
    return read_nih(nih, findings) + read_kermany(kermany, findings)
