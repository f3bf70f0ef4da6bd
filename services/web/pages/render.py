"""Templates to answers: one environment, one frame for every page."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse

from hilum import __version__
from services.web.context import Web, utc_now
from services.web.identity.person import current
from services.web.pages import bars, words
from services.web.pages.assets import assets
from services.web.releases import newest_model

# The finding whose binary view has its own place in the header, where the release scores it.
BINARY = "Pneumonia"
TEMPLATES = Path(__file__).resolve().parent.parent / "templates"


def _time(moment: datetime, form: str) -> Markup:
    """A `<time>` that static/times.js keeps true. `form`: ago, waits, due or clock."""
    text = {"ago": words.ago, "due": words.due, "waits": words.waits, "clock": words.clock}[form](moment)
    exact = moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    # Dates and our own words, so nothing to escape: Markup.format took a sixth of a list's time.
    return Markup(f'<time data-form="{form}" datetime="{moment.isoformat()}" title="{exact}">{text}</time>')  # noqa: S704


def _version(thing: object) -> str:
    """A short hash of a frozen dataclass: the browser swaps a line only when this differs."""
    return hashlib.sha256(repr(thing).encode()).hexdigest()[:12]


@cache
def environment() -> Environment:
    """The templates, with the filters that they use; an unknown name in a template is an error, not an empty text."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "when": _time,
        "clock": words.clock,
        "percent": words.percent,
        "share": words.share,
        "bytes": words.byte_count,
        "plural": words.plural,
        "version": _version,
    }
    made.globals |= {
        "asset": assets().url,
        "app_version": __version__,
        "person": current,
        "server_now": utc_now,
        "bands": words.BANDS,
        "statuses": words.STATUSES,
        "list_statuses": words.LIST_STATUSES,
        "label_words": words.LABELS,
        "rule_out_place": round(bars.RULE_OUT_PLACE, 2),
        "alert_place": round(bars.ALERT_PLACE, 2),
    }
    return made


def shell(web: Web, session: Session) -> dict[str, Any]:
    """What the frame of every page shows: who reads, which release answers, and whether its binary view has a page."""
    model = newest_model(session)
    binary = model is None or any(item.name == BINARY for item in model.findings)
    return {
        "reader": web.reader,
        "release": model.release if model else None,
        "binary": BINARY if binary else "",
        "promotes": bool(web.settings.promoter_url),
    }


def page(name: str, *, status_code: int = 200, headers: dict[str, str] | None = None, **context: Any) -> HTMLResponse:
    """The answer made of template `name`; never kept by a browser, for it shows patients."""
    html = environment().get_template(name).render(**context)
    return HTMLResponse(html, status_code=status_code, headers={"cache-control": "no-store", **(headers or {})})
