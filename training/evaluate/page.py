"""The evaluation report as one HTML file that fetches nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training.evaluate.plots import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def png(figure: Figure) -> str:
    """`figure` as a data URL."""
    out = BytesIO()
    figure.savefig(out, format="png", dpi=110)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")


def span(figure: Mapping[str, float] | None, digits: int = 3) -> str:
    """`0.751 (0.695 to 0.801)`, or a dash where there is no figure."""
    if figure is None:
        return "-"
    return f"{figure['value']:.{digits}f} ({figure['low']:.{digits}f} to {figure['high']:.{digits}f})"


def environment(folder: Path) -> Environment:
    """Templates of `folder`, every value escaped, a name that is not given an error."""
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["span"] = span
    return made


def page(report: Mapping[str, Any], title: str, about: Mapping[str, str]) -> str:
    """The whole page; `about` are rows of its head (release, films, command)."""
    drawn = {name: png(figure) for name, figure in figures(report).items()}
    template = environment(Path(__file__).parent).get_template("page.html")
    return template.render(report=report, title=title, about=about, figures=drawn)
