"""`hilum release verify`, `show`, `compare` and `push`."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FOLDER = typer.Argument(exists=True, file_okay=False, help="Folder of the release.")
KEYS = typer.Option(help="File of trusted public keys; default: HILUM_TRUSTED_KEYS. '' checks the hashes alone.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Look at a release: an immutable, signed model bundle.", no_args_is_help=True)
    group.command()(verify)
    group.command()(show)
    group.command()(compare)
    group.command()(push)
    app.add_typer(group, name="release")


def verify(folder: Annotated[Path, FOLDER], keys: Annotated[str | None, KEYS] = None) -> None:
    """Check hashes, signature, order of the findings and the golden film, for every precision.

    Examples:

    hilum release verify models/default

    hilum release verify models/default --keys site-keys.txt
    """
    from hilum.release import BadRelease, read_manifest
    from hilum.settings import from_environment
    from services.inference.loading import load
    from services.inference.settings import InferenceSettings

    settings = from_environment(InferenceSettings, release=folder)
    trusted = settings.trusted_keys if keys is None else keys
    try:
        for variant in read_manifest(folder).variants:
            update = {"precision": variant.precision, "trusted_keys": trusted}
            scorer = load(settings.model_copy(update=update))
            typer.echo(f"{variant.precision}: files, findings and golden film fit")
    except BadRelease as error:
        typer.echo(f"refused: {error}", err=True)
        raise typer.Exit(1) from None
    signed = f"signed by {scorer.release.signed_by}" if scorer.release.signed_by else "signature not checked"
    typer.echo(f"{scorer.manifest.name} {scorer.manifest.version} {scorer.release.digest} ({signed})")


def show(folder: Annotated[Path, FOLDER]) -> None:
    """Print what a release says of itself: findings in order, thresholds, provenance. Nothing is verified.

    Example:

    hilum release show models/default
    """
    from rich.console import Console
    from rich.table import Table

    from hilum.release import BadRelease, read_manifest

    try:
        manifest = read_manifest(folder)
    except BadRelease as error:
        typer.echo(f"not a release: {error}", err=True)
        raise typer.Exit(1) from None
    console = Console()
    console.print(f"{manifest.name} {manifest.version}, {manifest.created}", highlight=False)
    console.print(f"digest {manifest.digest()}", highlight=False, soft_wrap=True)
    console.print(f"commit {manifest.commit}, run {manifest.run}", highlight=False, soft_wrap=True)
    for variant in manifest.variants:
        table = Table("#", "finding", "rule-out", "alert", "positive patients", "established", title=variant.precision)
        for place, spec in enumerate(variant.findings):
            points = [f"{point.threshold:.3f}" for point in (spec.rule_out, spec.alert)]
            told = "yes" if spec.established else "no"
            table.add_row(str(place), spec.name, *points, str(spec.positive_patients), told)
        console.print(table)
        console.print(f"critical margin {variant.critical_margin:.2f} logits, alarm budget {variant.alarm_budget:.0%}")


def compare(
    a: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of one release.")],
    b: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of the other.")],
) -> None:
    """Show two releases side by side: findings, thresholds, figures. Hashes are checked; nothing is scored.

    Example:

    hilum release compare models/default models/candidate
    """
    from rich.console import Console
    from rich.table import Table

    from hilum.release import BadRelease, read_release
    from hilum.release.compare import compare as side_by_side

    try:
        found = side_by_side(read_release(a), read_release(b))
    except BadRelease as error:
        typer.echo(f"not comparable: {error}", err=True)
        raise typer.Exit(1) from None
    console = Console()
    facts = Table("", "A", "B")
    for row in found.facts:
        facts.add_row(*row)
    console.print(facts)

    def pair(values: tuple[float | None, float | None]) -> list[str]:
        return ["-" if value is None else f"{value:.3f}" for value in values]

    table = Table("finding", "rule-out A", "B", "alert A", "B", "AUROC A", "B")
    for finding in found.findings:
        name = finding.name if all(finding.established) else f"{finding.name} *"
        table.add_row(name, *pair(finding.rule_out), *pair(finding.alert), *pair(finding.auroc))
    console.print(table)
    if not all(all(finding.established) for finding in found.findings):
        console.print("* not established in one of the two, or in both")
    if not found.same_order:
        console.print("The findings differ, or their order.")
    if not found.same_data:
        console.print("Trained and judged on different data: the AUROCs are not of the same films.")


def push(
    folder: Annotated[Path, FOLDER],
    store: Annotated[str, typer.Argument(help="Where releases lie: s3://bucket/prefix or file:///folder.")],
    endpoint: Annotated[str | None, typer.Option(help="S3 endpoint; default: HILUM_S3_ENDPOINT.")] = None,
) -> None:
    """Put a release into the store from which clusters fetch it by its digest, which is printed.

    Examples:

    hilum release push models/default s3://hilum-releases

    hilum release push models/default file:///srv/releases
    """
    from hilum.release import BadRelease
    from hilum.release.store import push_release
    from hilum.settings import ServiceSettings, from_environment
    from hilum.storage import BlobsUnavailable, open_blobs

    try:
        at = endpoint if endpoint is not None else from_environment(ServiceSettings).s3_endpoint
        typer.echo(push_release(folder, open_blobs(store, at)).digest)
    except (BadRelease, BlobsUnavailable, ValueError) as error:
        typer.echo(f"not pushed: {error}", err=True)
        raise typer.Exit(1) from None
