"""Every source of a recipe into one manifest: adapters draft the films, here their bytes are found and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

from training.config import Data, Source
from training.data.chexpert import read_chexpert
from training.data.findings import findings_of
from training.data.kermany import read_kermany
from training.data.manifest import BadData, Film, LeftOut, Manifest, refuse_too_many, sha256
from training.data.nih import mask_nih, read_nih
from training.data.place import Place, open_place, store_folder
from training.data.rows import Draft
from training.data.shortcuts import find_shortcuts
from training.data.table import FEEDBACK, PLAIN, read_table

# Reading and hashing wait for the disk or the bucket, not for the processor.
READERS = 16
CHUNK = 1024
Tick = Callable[[int], None]


def read_sources(data: Data, folder: Path, store: Path | None = None, tick: Tick = lambda count: None) -> Manifest:
    """The manifest of `data.sources`, whose paths are below `folder`, absolute, or in S3 (cached below `store`).

    Missing and unreadable films are left out with their reason, up to `data.left_out_share`; what a picture holds is
    first looked at when the store decodes it. `tick` gets the number of films read. Raises BadData.
    """
    findings = findings_of(data)
    drafts: list[Draft] = []
    left_out: list[LeftOut] = []
    cache = store or store_folder()
    check_titles(data.sources)
    for source in data.sources:
        place = open_place(source.path, folder, cache)
        drafted = []
        for each in _draft(place, source, findings, data.laterals):
            left_out.append(each) if isinstance(each, LeftOut) else drafted.append(each)
        for found in _look(place, drafted, tick):
            left_out.append(found) if isinstance(found, LeftOut) else drafts.append(found)
    refuse_too_many([each for each in left_out if each.fault], len(drafts), data.left_out_share)
    check_names(drafts)
    check_people(drafts)
    drafts, twins = drop_twins(drafts)
    films = [draft.film for draft in drafts]
    if not films:
        raise BadData("the sources hold no films")
    masked, masks = mask_nih(films, findings)
    shortcuts = find_shortcuts(films, findings, masks)
    return Manifest(findings, tuple(masked), (*left_out, *twins), tuple(masks), tuple(shortcuts))


def _draft(place: Place, source: Source, findings: tuple[str, ...], laterals: bool) -> Iterable[Draft | LeftOut]:
    match source.kind:
        case "nih":
            return read_nih(place, source, findings)
        case "kermany":
            return read_kermany(place, source, findings)
        case "chexpert":
            return read_chexpert(place, source, findings, laterals)
        case "feedback":
            return read_table(place, source, findings, FEEDBACK, laterals)
        case "table":
            return read_table(place, source, findings, PLAIN, laterals)


def _look(place: Place, drafts: list[Draft], tick: Tick) -> Iterator[Draft | LeftOut]:
    """Fetch and hash every draft's file, several at a time, in the drafts' order."""
    names = place.names

    def look(draft: Draft) -> Draft | LeftOut:
        film = draft.film
        if draft.file not in names:
            reason = f"no file {place.title}/{draft.file}"
            return LeftOut(film.source, film.name, reason, draft.table, draft.row)
        try:
            path = place.fetch(draft.file)
            if not path.stat().st_size:
                return LeftOut(film.source, film.name, f"{draft.file} is empty", draft.table, draft.row)
            return replace(draft, film=replace(film, path=path, sha256=sha256(path), table=draft.table, row=draft.row))
        except OSError as error:
            reason = f"{draft.file} can't be read: {error.strerror or error}"
            return LeftOut(film.source, film.name, reason, draft.table, draft.row)

    waiting = iter(drafts)
    with ThreadPoolExecutor(READERS) as pool:
        while chunk := list(islice(waiting, CHUNK)):
            yield from pool.map(look, chunk)
            tick(len(chunk))


def check_titles(sources: Iterable[Source]) -> None:
    """Raise BadData where two folders would go by one name: their films could not be told apart."""
    seen: dict[str, Source] = {}
    for source in sources:
        other = seen.setdefault(source.title, source)
        if (other.kind, other.path) != (source.kind, source.path):
            raise BadData(f"{other.path} and {source.path} are both called '{source.title}': give one a name")


def check_names(drafts: Iterable[Draft]) -> None:
    """Raise BadData where a film stands twice in a source."""
    seen: dict[tuple[str, str], Draft] = {}
    for draft in drafts:
        other = seen.setdefault((draft.film.source, draft.film.name), draft)
        if other is not draft:
            raise BadData(f"{draft}: film {draft.film.name} stands already in {other}; remove one of the two")


def check_people(drafts: Iterable[Draft]) -> None:
    """Raise BadData where one patient is of two sexes: two persons share a number."""
    seen: dict[str, Draft] = {}
    for draft in drafts:
        if draft.film.sex is None:
            continue
        other = seen.setdefault(draft.film.patient, draft)
        if other.film.sex != draft.film.sex:
            raise BadData(
                f"{draft}: patient {draft.film.patient} is {draft.film.sex} here and {other.film.sex} in {other}: are "
                "these two persons under one number? Give them different numbers, or leave the wrong sex blank"
            )


def drop_twins(drafts: Iterable[Draft]) -> tuple[list[Draft], list[LeftOut]]:
    """Keep the first of a patient's films that are the same byte for byte; the others are left out, by choice."""
    kept: list[Draft] = []
    twins: list[LeftOut] = []
    seen: dict[tuple[str, str], Film] = {}
    for draft in drafts:
        film = draft.film
        first = seen.setdefault((film.patient, film.sha256), film)
        if first is film:
            kept.append(draft)
        else:
            labels = "" if first.labels == film.labels else ", with other labels"
            reason = f"byte for byte {first.source}'s {first.name} of the same patient{labels}"
            twins.append(LeftOut(film.source, film.name, reason, draft.table, draft.row, fault=False))
    return kept, twins
