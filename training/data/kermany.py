"""Kermany's paediatric films (Cell 2018, CC BY 4.0): pneumonia or normal; the other findings are unknown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from hilum.findings import exact_finding
from training.config import Source
from training.data.manifest import BadData, Film, LeftOut
from training.data.place import Place
from training.data.rows import Draft

SOURCE = "kermany"
GROUPS = ("NORMAL", "PNEUMONIA")
# The person's number, whatever stands before or after it; normals carry the number behind "IM-".
_PERSON = re.compile(r"person(\d+)_")
_NORMAL = re.compile(r"IM-(\d+)-")
_DEPTH = 3


def patient_of(name: str) -> str:
    """The patient of a file name; raises BadData where it follows neither pattern."""
    if match := _PERSON.search(name):
        return f"{SOURCE}:person:{int(match[1])}"
    if match := _NORMAL.search(name):
        return f"{SOURCE}:im:{int(match[1])}"
    raise BadData(f"{name}: neither person<N>_ nor IM-<N>-: whose film is it?")


def read_kermany(place: Place, source: Source, findings: tuple[str, ...]) -> Iterator[Draft | LeftOut]:
    """Drafts of `{train,test,val}/{NORMAL,PNEUMONIA}`, whichever exist, in order of name."""
    finding = exact_finding(SOURCE, "PNEUMONIA")
    found = False
    for name in sorted(place.names):
        path = PurePosixPath(name)
        if len(path.parts) != _DEPTH or path.suffix.lower() not in (".jpeg", ".jpg", ".png"):
            continue
        group = path.parts[1]
        if group not in GROUPS:
            raise BadData(f"{place.title}/{name}: the folder {group} is neither NORMAL nor PNEUMONIA")
        found = True
        try:
            patient = patient_of(path.name)
        except BadData as error:
            yield LeftOut(source.title, path.stem, str(error), place.title)
            continue
        labels = tuple(int(group == "PNEUMONIA") if each == finding else None for each in findings)
        film = Film(path.stem, Path(), "", source.title, patient, labels, site=source.site)
        yield Draft(film, name)
    if not found:
        raise BadData(f"{place.title}: no films in train/NORMAL or train/PNEUMONIA")
