"""Kermany's paediatric films (Cell 2018, CC BY 4.0): pneumonia or normal; the other findings are unknown."""

from __future__ import annotations

import re
from pathlib import Path

from training.data.manifest import UNKNOWN, BadData, Film, sha256

SOURCE = "kermany"
# The person's number, whatever stands before or after it; normals carry the number behind "IM-".
_PERSON = re.compile(r"person(\d+)_")
_NORMAL = re.compile(r"IM-(\d+)-")


def patient_of(name: str) -> str:
    """The patient of a file name; raises BadData where it follows neither pattern."""
    if match := _PERSON.search(name):
        return f"{SOURCE}:person:{int(match[1])}"
    if match := _NORMAL.search(name):
        return f"{SOURCE}:im:{int(match[1])}"
    raise BadData(f"{name}: neither person<N>_ nor IM-<N>-: whose film is it?")


def read_kermany(folder: Path, findings: tuple[str, ...]) -> list[Film]:
    """Films of `folder/{train,test,val}/{NORMAL,PNEUMONIA}`, whichever exist, in order of name."""
    films = []
    for path in sorted(folder.glob("*/*/*.jp*g")):
        group = path.parent.name
        if group not in ("NORMAL", "PNEUMONIA"):
            raise BadData(f"{group}: a folder that is neither NORMAL nor PNEUMONIA")
        labels = tuple(int(group == "PNEUMONIA") if name == "Pneumonia" else UNKNOWN for name in findings)
        films.append(Film(path.stem, path, sha256(path), SOURCE, patient_of(path.name), labels))
    return films
