"""`hilum evaluate-online`: labelled films through a running service, like a hospital's day."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from training.online.evaluate import Streamed
    from training.online.films import LabelledFilm
    from training.online.stream import Pace
    from training.online.tally import Tally


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="evaluate-online")(evaluate)


def evaluate(
    url: Annotated[str, typer.Argument(help="Base URL of the inference service.")],
    manifest: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Parquet manifest, or a CSV.")],
    out: Annotated[Path, typer.Option(help="Results, one line a film; OUT.json is the summary.")] = Path(
        "online.jsonl"
    ),
    folder: Annotated[Path | None, typer.Option(help="What the films' paths are relative to.")] = None,
    films: Annotated[int, typer.Option(min=0, help="How many films, drawn at random; 0: all.")] = 0,
    films_a_day: Annotated[float, typer.Option(min=1, help="Films that a day brings.")] = 740,
    speed_up: Annotated[float, typer.Option(min=0.001, help="Times faster than the clock.")] = 1.0,
    start_hour: Annotated[float, typer.Option(min=0, max=24, help="Hour of the day to begin at.")] = 8.0,
    flat: Annotated[bool, typer.Option(help="The same rate at every hour.")] = False,
    at_once: Annotated[int, typer.Option(min=1, max=512, help="Films that may wait for their answers.")] = 16,
    seed: Annotated[int, typer.Option(help="Of the order and the times.")] = 1,
    metrics_port: Annotated[int | None, typer.Option(help="Port for Prometheus; 0: a free one.")] = None,
    metrics_address: Annotated[str, typer.Option(help="Where it listens; 0.0.0.0 in a pod.")] = "127.0.0.1",
    every_hours: Annotated[float, typer.Option(min=0, help="Begin anew so often, for ever; 0: once.")] = 0.0,
) -> None:
    """Stream labelled films through a running inference service and keep accuracy, AUROC and the like per finding.

    A bad film is counted and never stops the stream. Broken off, the same command goes on where it stopped.
    With --every-hours the gauges show the last round that is whole: so the served release is watched.
    Exit status: 0 every film answered, 3 some were not, 2 wrong input or a service that is not ready.

    Examples:

    hilum evaluate-online http://127.0.0.1:8000 films.csv --speed-up 60

    hilum evaluate-online http://inference:8000 manifest.parquet --folder /data --films 2000 --metrics-port 9100

    hilum evaluate-online http://inference:8000 set.csv --every-hours 6 --metrics-port 9100 --metrics-address 0.0.0.0
    """
    import random
    import warnings

    from prometheus_client import start_http_server

    from training.data.manifest import BadData
    from training.online.arrivals import arrivals
    from training.online.evaluate import NotReady
    from training.online.films import read_films
    from training.online.gauges import EvaluationGauges, registry
    from training.online.rounds import rounds
    from training.online.stream import Pace
    from training.online.tally import Tally

    warnings.simplefilter("ignore", RuntimeWarning)
    tally = Tally()
    gauges = EvaluationGauges(tally)

    def pace() -> Pace:
        return Pace(arrivals(films_a_day, seed, start_hour, flat), speed_up, at_once)

    try:
        chosen = read_films(manifest, folder)
        random.Random(seed).shuffle(chosen)  # noqa: S311 - an order, no secret
        chosen = chosen[: films or None]
        if metrics_port is not None:
            server, _ = start_http_server(metrics_port, addr=metrics_address, registry=registry(gauges))
            typer.echo(f"metrics: http://{metrics_address}:{server.server_port}/metrics", err=True)
        if every_hours:
            rounds(lambda each: _with_bar(url, chosen, out, pace(), each), gauges, out, every_hours * 3600.0)
        streamed = _with_bar(url, chosen, out, pace(), tally)
    except (BadData, NotReady) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    _show(streamed, out)
    raise typer.Exit(3 if set(streamed.summary["films"]) & {"unavailable", "unreadable", "refused"} else 0)


def _with_bar(url: str, films: list[LabelledFilm], out: Path, pace: Pace, tally: Tally) -> Streamed:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from training.online.evaluate import evaluate_online

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("films sent", total=len(films))
        return evaluate_online(url, films, out, pace, tally, lambda _: progress.advance(task))


def _show(streamed: Streamed, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()

    def text(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    for part in streamed.summary["datasets"]:
        table = Table(
            *("finding", "films", "positive", "accuracy", "AUROC", "sensitivity", "specificity"),
            title=f"{part['dataset']}, release {part['release'][:12]}",
        )
        for name, f in part["findings"].items():
            figures = [text(f[key]) for key in ("accuracy", "auroc", "sensitivity", "specificity")]
            table.add_row(name, str(f["films"]), str(f["positives"]), *figures)
        console.print(table)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in streamed.summary["films"].items())
    console.print(f"{streamed.sent} films sent now, {streamed.before} before: {counts}", highlight=False)
    for reason, count in list(streamed.summary["not_scored"].items())[:5]:
        console.print(f"  {count} x {reason}", highlight=False, soft_wrap=True)
    console.print(f"results in {out}, summary in {out}.json", highlight=False, soft_wrap=True)
