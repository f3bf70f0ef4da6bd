"""Pictures of the data report, as PNG in `data:` URLs: the page fetches nothing."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from training.data.manifest import UNKNOWN, Film, label_matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The palette of Okabe and Ito (2008), told apart by colour-blind readers too.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")
INK = "#23303c"
AGES = [*range(0, 105, 5)]


def film_url(frame: npt.NDArray[np.uint16]) -> str:
    """A frame (H, W) as a grey PNG."""
    stream = io.BytesIO()
    Image.fromarray((frame >> 8).astype(np.uint8)).save(stream, "PNG", optimize=True)
    return _url(stream.getvalue())


def co_occurrence(films: Sequence[Film], findings: Sequence[str]) -> str:
    """Of the films with the row's finding whose label of the column's is known, the share that has it too."""
    labels = label_matrix(films).reshape(len(films), -1)
    present, known = (labels == 1).astype(np.float64), (labels != UNKNOWN).astype(np.float64)
    counts = present.T @ present
    share = counts / np.maximum(1.0, present.T @ known)
    figure, axes = _figure(0.45 * len(findings) + 2.6, 0.38 * len(findings) + 1.9)
    axes.imshow(np.where(np.eye(len(findings)), np.nan, share), cmap="Blues", vmin=0, vmax=max(0.5, float(_off(share))))
    axes.set_xticks(range(len(findings)), findings, rotation=50, ha="right", fontsize=8)
    names = [f"{name} ({int(n)})" for name, n in zip(findings, np.diag(counts), strict=True)]
    axes.set_yticks(range(len(findings)), names, fontsize=8)
    for row, column in np.argwhere(~np.eye(len(findings), dtype=bool) & (share >= 0.005)).tolist():
        dark = share[row, column] > 0.3
        text = f"{share[row, column]:.0%}".removesuffix("%")
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color="white" if dark else INK)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return _png(figure)


def ages(films: Sequence[Film], sources: Sequence[str]) -> str:
    """Histogram of ages, one colour a source; films of unknown age are said in the legend."""
    figure, axes = _figure(5.2, 2.7)
    known = [[f.age for f in films if f.source == source and f.age is not None] for source in sources]
    totals = Counter(film.source for film in films)
    labels = [f"{s}: {totals[s] - len(k)} of {totals[s]} unknown" for s, k in zip(sources, known, strict=True)]
    axes.hist(known, bins=AGES, stacked=True, color=[_colour(n) for n in range(len(sources))], label=labels)
    axes.set_xlabel("age, years")
    axes.set_ylabel("films")
    axes.legend(fontsize=7, frameon=False)
    return _png(figure)


def shares(films: Sequence[Film], sources: Sequence[str], attribute: str) -> str:
    """Share of each value of `attribute` ("view", "sex", "site", "device") per source, as one bar a source."""
    figure, axes = _figure(5.2, 0.5 * len(sources) + 1.1)
    values = Counter(str(getattr(film, attribute) or "unknown") for film in films)
    shown = [value for value, _ in values.most_common(6) if value != "unknown"]
    for number, source in enumerate(sources):
        of = Counter(str(getattr(film, attribute) or "unknown") for film in films if film.source == source)
        rest = of.total() - sum(of[value] for value in (*shown, "unknown"))
        left = 0.0
        for value, count in [*((v, of[v]) for v in shown), ("other", rest), ("unknown", of["unknown"])]:
            share = count / max(1, of.total())
            place = shown.index(value) if value in shown else len(COLOURS) - 1
            colour = "#dde3e8" if value == "unknown" else _colour(place)
            axes.barh(number, share, left=left, color=colour, height=0.65)
            if share >= 0.08:
                ink = INK if value == "unknown" else "white"
                axes.text(
                    left + share / 2, number, f"{value} {share:.0%}", ha="center", va="center", fontsize=7, color=ink
                )
            left += share
    axes.set_yticks(range(len(sources)), sources)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return _png(figure)


def _off(share: npt.NDArray[np.float64]) -> float:
    rest = share[~np.eye(len(share), dtype=bool)]
    return float(rest.max()) if rest.size else 0.0


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    # Not pyplot: it keeps every figure it made, and asks for a screen.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(width, height), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    return figure, axes


def _png(figure: Figure) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return _url(stream.getvalue())


def _url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
