"""The release's model card as a part of a page."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from markupsafe import Markup

from hilum.clients.inference import InferenceClient, Refused, Unavailable

# The page does not wait longer for a text that it can do without.
ASK_SECONDS = 3.0


class _Renderer(RendererHTML):
    """The card's headings go below the page's own, and no element carries a style: the page's policy forbids it."""

    def renderToken(  # noqa: N802 - the library's name
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        token = tokens[idx]
        token.attrs.pop("style", None)
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
        return super().renderToken(tokens, idx, options, env)


def to_html(markdown: str) -> Markup:
    """HTML of a card; markup inside the text is shown as text, pictures and links are left as words."""
    made = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer)
    made.enable("table").disable(["image", "link", "autolink", "reference"])
    return Markup(made.render(markdown))  # noqa: S704 - the renderer escapes all text


async def card_html(inference: InferenceClient) -> Markup | None:
    """The card of the release that is served now; None where inference does not answer or has none."""
    try:
        async with asyncio.timeout(ASK_SECONDS):
            return to_html(await inference.card())
    except (TimeoutError, Refused, Unavailable):
        return None
