"""`hilum data manifest`, `store`, `check` and `report`: what a model is about to learn from."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from training.config import Recipe
    from training.data.manifest import Manifest
    from training.data.prepare import Prepared

RECIPE = typer.Argument(help="A recipe (YAML), or the name of one in training/configs.")
DATA = typer.Option(help="Folder that the recipe's sources are in.", envvar="HILUM_TRAINING_DATA", show_default=False)
STORE = typer.Option(
    "--store",
    help="Folder for decoded frames, shared by runs; default: ~/.cache/hilum/training.",
    envvar="HILUM_TRAINING_STORE",
    show_default=False,
)
# A newcomer's checkout has the shared films beside it.
BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Films and labels: manifest, store of frames, checks, report.", no_args_is_help=True)
    group.command()(manifest)
    group.command()(store)
    group.command()(check)
    group.command()(report)
    app.add_typer(group, name="data")


def manifest(
    recipe: Annotated[str, RECIPE],
    data: Annotated[Path | None, DATA] = None,
    out: Annotated[Path, typer.Option(help="The Parquet file to write.")] = Path("manifest.parquet"),
    keep: Annotated[Path | None, STORE] = None,
    decode: Annotated[bool, typer.Option(help="Decode every film, and leave out what can't be.")] = True,
    split: Annotated[str | None, typer.Option(help="Only the films of this split.", show_default=False)] = None,
) -> None:
    """Read every source of a recipe into one Parquet file: a row per film, a column per finding.

    Its digest is the data's version. What was left out, and why, is in the file's metadata.

    Examples:

    hilum data manifest default --data ../shared/data --out films.parquet

    hilum data manifest configs/chexpert.yaml --data /data --no-decode

    hilum data manifest default --split validation --out validation.parquet
    """
    from dataclasses import replace

    from training.data import BadData
    from training.data.parquet import write_manifest
    from training.data.split import SPLITS, split_films

    with _refused():
        chosen = _recipe(recipe)
        made = _manifest(chosen, _folder(data), keep, decode)
        if split is not None:
            if split not in SPLITS:
                raise BadData(f"there is no split '{split}'; one of {', '.join(SPLITS)}")
            made = replace(made, films=tuple(split_films(made.films, chosen.split)[split]))
        write_manifest(made, out, _folder(data))
        _say_notes(made)
        typer.echo(f"{out}: {len(made.films)} films, {len(made.findings)} findings, data version {made.digest}")


def store(
    recipe: Annotated[str, RECIPE],
    data: Annotated[Path | None, DATA] = None,
    keep: Annotated[Path | None, STORE] = None,
    to: Annotated[str | None, typer.Option(help="Copy the store there: s3://bucket/prefix or a folder.")] = None,
    fetch: Annotated[str | None, typer.Option("--from", help="First take from there what is already decoded.")] = None,
) -> None:
    """Decode and squash every film of a recipe once, into the store that training reads.

    A build that was broken off goes on where it stopped; two at once wait for each other.
    S3: the endpoint is HILUM_S3_ENDPOINT, the keys are the AWS_* variables.

    Examples:

    hilum data store default --data ../shared/data

    hilum data store default --to s3://training/frames

    hilum data store default --from s3://training/frames --store /scratch/frames
    """
    from rich.console import Console

    from training.data.exchange import open_target, pull, push
    from training.data.place import store_folder
    from training.data.shards import FrameStore
    from training.progress import Bars

    with _refused():
        chosen = _recipe(recipe)
        frames = FrameStore(keep or store_folder(), chosen.data.input_size)
        if fetch:
            with Bars(Console(stderr=True)) as bars:
                got = pull(frames, open_target(fetch), bars.add("fetch shards", 0))
            typer.echo(f"{got} shards fetched from {fetch}")
        made = _manifest(chosen, _folder(data), keep, decode=True)
        _say_notes(made)
        if to:
            with Bars(Console(stderr=True)) as bars:
                sent = push(frames, open_target(to), bars.add("copy files", len(frames.files())))
            typer.echo(f"{sent} shards copied to {to}")
        size = sum(path.stat().st_size for path in frames.files())
        typer.echo(f"{frames.folder}: {len(made.films)} films of this recipe; {size / 1e6:.0f} MB in all")


def check(
    recipe: Annotated[str, RECIPE],
    data: Annotated[Path | None, DATA] = None,
    keep: Annotated[Path | None, STORE] = None,
) -> None:
    """Say whether a model can be trained on a recipe's data: patients apart, findings learnable, no shortcut left open.

    Ends with 2 where training would refuse the data, and says why.

    Example:

    hilum data check default --data ../shared/data
    """
    from rich.console import Console
    from rich.table import Table

    from training.data.duplicates import find_duplicates
    from training.data.manifest import label_matrix

    with _refused():
        chosen = _recipe(recipe)
        prepared = _prepared(chosen, _folder(data), keep)
        table = Table("finding", *prepared.parts, title="films with the finding present / absent")
        labels = {name: label_matrix(part.films) for name, part in prepared.parts.items()}
        for k, finding in enumerate(prepared.manifest.findings):
            cells = (f"{(of[:, k] == 1).sum()} / {(of[:, k] == 0).sum()}" if len(of) else "-" for of in labels.values())
            table.add_row(finding, *cells)
        Console().print(table)
        _say_notes(prepared.manifest)
        parts = prepared.parts
        pairs = find_duplicates({n: p.films for n, p in parts.items()}, {n: p.frames for n, p in parts.items()})
        for pair in [pair for pair in pairs if pair.leaks][:20]:
            typer.echo(f"all but the same in {' and '.join(pair.splits)}: {pair.first.name}, {pair.second.name}")
        leaks = sum(pair.leaks for pair in pairs)
        typer.echo(f"{len(pairs)} pairs of near-duplicates, {leaks} of them across splits")
        typer.echo(f"The data can be trained on. Data version {prepared.manifest.digest}")


def report(
    recipe: Annotated[str, RECIPE],
    data: Annotated[Path | None, DATA] = None,
    out: Annotated[Path, typer.Option(help="The HTML file to write.")] = Path("data-report.html"),
    keep: Annotated[Path | None, STORE] = None,
) -> None:
    """Write a page that shows what a model is about to learn from. It holds films: keep it where films may lie.

    Example:

    hilum data report default --data ../shared/data --out data-report.html
    """
    from training.data.report import write_report

    with _refused():
        chosen = _recipe(recipe)
        prepared = _prepared(chosen, _folder(data), keep)
        write_report(prepared, chosen, out)
        _say_notes(prepared.manifest)
        typer.echo(f"{out}: {len(prepared.manifest.films)} films, {out.stat().st_size / 1e6:.1f} MB")


def _recipe(name: str) -> Recipe:
    from training.config import CONFIGS, read_recipe

    path = Path(name)
    return read_recipe(path if path.suffix or path.exists() else CONFIGS / f"{name}.yaml")


def _folder(data: Path | None) -> Path:
    return data or BESIDE


def _manifest(recipe: Recipe, data: Path, keep: Path | None, decode: bool) -> Manifest:
    from rich.console import Console

    from training.data.prepare import read_and_decode
    from training.data.read import read_sources
    from training.progress import Bars

    console = Console(stderr=True)
    with Bars(console) as bars:
        if decode:
            return read_and_decode(recipe, data, keep, bars.add, console.print)[0]
        return read_sources(recipe.data, data, keep)


def _prepared(recipe: Recipe, data: Path, keep: Path | None) -> Prepared:
    from rich.console import Console

    from training.data.prepare import prepare
    from training.progress import Bars

    console = Console(stderr=True)
    with Bars(console) as bars:
        return prepare(recipe, data, keep, bars.add, console.print)


def _say_notes(made: Manifest) -> None:
    from training.data.prepare import notes

    for note in notes(made):
        typer.echo(note)


@contextmanager
def _refused() -> Iterator[None]:
    """Bad data and a bad recipe end with 2, and their reason on one line."""
    from training.config import BadRecipe
    from training.data.manifest import BadData

    try:
        yield
    except BadRecipe as error:
        typer.echo(f"Bad recipe: {error}", err=True)
        raise typer.Exit(2) from None
    except BadData as error:
        typer.echo(f"The data can't be trained on: {error}", err=True)
        raise typer.Exit(2) from None
