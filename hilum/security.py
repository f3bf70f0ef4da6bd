"""What every service does against hostile requests: body limit, response headers, and same-origin changes."""

from __future__ import annotations

import asyncio
import math
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hilum.problems import Problem

# Scripts, styles and pictures come from this origin alone; `blob:` shows a picture that the browser itself made.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# No page here uses any of them; clipboard and fullscreen stay allowed.
PERMISSIONS_POLICY = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), serial=(), usb=()"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# How long, and how much, a refused body is read and thrown away, so that the sender sees the answer and not a reset.
DRAIN_SECONDS = 20.0
DRAIN_BYTES = 1_000_000_000


class BodyTooLarge(Exception):
    """The body grew beyond the limit while it was read."""


class BodyTooSlow(Exception):
    """Nothing of the body came for too long, or it comes too slowly."""


class TooMuchInFlight(Exception):
    """The bodies of all requests together are more than the process may hold."""


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send, *, complete: bool = False) -> None:
    """Answer at once, then discard what still comes, within bounds, in constant memory; `complete`: nothing does."""
    response = problem.response()
    headers = MutableHeaders(raw=list(response.raw_headers))
    headers["connection"] = "close"
    # Who asked first ("Expect: 100-continue") sends nothing more; reading on would tell him to.
    drain = not complete and Headers(scope=scope).get("expect", "").lower() != "100-continue"
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers.raw})
    await send({"type": "http.response.body", "body": bytes(response.body), "more_body": drain})
    if not drain:
        return
    drained = 0
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while drained < DRAIN_BYTES:
                message = await receive()
                drained += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body"):
                    break
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})


class BodyLimit:
    """Refuse a body above `max_bytes`: by its declared length before it is read, else as soon as it grows beyond.

    A body of which nothing comes for `idle_seconds` is refused too (408), and one that comes at less than
    `min_bytes_per_second` after the first `grace_seconds` (as Apache's mod_reqtimeout has it), so that a slow sender
    holds nothing for long. `max_bytes_in_flight` bounds what all requests hold together, from their first byte to
    their answer: beyond it a sender is told to come back (503). None: without a bound.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int,
        idle_seconds: float = 30.0,
        *,
        grace_seconds: float = 60.0,
        min_bytes_per_second: float = 4_000.0,
        max_bytes_in_flight: int | None = None,
    ) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.idle_seconds = idle_seconds
        self.grace_seconds = grace_seconds
        self.min_bytes_per_second = min_bytes_per_second
        self.max_bytes_in_flight = math.inf if max_bytes_in_flight is None else max_bytes_in_flight
        self.held = 0
        self.too_large = Problem(
            413, "body-too-large", f"The request is larger than {self.max_bytes} bytes; send fewer or smaller films."
        )
        self.too_slow = Problem(
            408,
            "body-too-slow",
            f"Nothing of the request came for {self.idle_seconds:g} seconds, or it comes too slowly; send it again.",
        )
        self.too_full = Problem(
            503,
            "busy",
            "The service holds as many bytes of requests as it may; send the request again.",
            headers={"Retry-After": "2"},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counted body."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if not (declared.isascii() and declared.isdigit()):
            await Problem(400, "bad-content-length", "Content-Length is not a number.").response()(scope, receive, send)
            return
        if int(declared) > self.max_bytes:
            await _refuse(self.too_large, scope, receive, send)
            return
        if self.held + int(declared) > self.max_bytes_in_flight:
            await _refuse(self.too_full, scope, receive, send)
            return
        seen = 0
        began = asyncio.get_running_loop().time()
        complete = False
        started = False
        refusal: Problem | None = None

        async def counted() -> Message:
            nonlocal seen, complete, refusal
            # By when the next part has to be here.
            left = began + self.grace_seconds + seen / self.min_bytes_per_second - asyncio.get_running_loop().time()
            try:
                # After the body, the application waits here for the sender to leave: that may take for ever.
                async with asyncio.timeout(None if complete else min(self.idle_seconds, max(left, 0.0))):
                    message = await receive()
            except TimeoutError:
                refusal = self.too_slow
                raise BodyTooSlow from None
            size = len(message.get("body", b""))
            seen += size
            self.held += size
            complete = not message.get("more_body", False)
            if seen > self.max_bytes:
                refusal = self.too_large
                raise BodyTooLarge
            if size and self.held > self.max_bytes_in_flight:
                refusal = self.too_full
                raise TooMuchInFlight
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            if refusal is not None and not started:
                return  # The application's own idea of what was wrong with half a body (FastAPI answers 400).
            started = True
            await send(message)

        try:
            await self.app(scope, counted, watched)
        except (BodyTooLarge, BodyTooSlow, TooMuchInFlight):
            if started:
                raise
        finally:
            # The application has let go of the body; what a refused sender still sends is thrown away.
            self.held -= seen
        if refusal is not None and not started:
            await _refuse(refusal, scope, receive, send, complete=complete)


class SecurityHeaders:
    """Add the response headers that keep a browser from doing more than the page needs.

    `over_tls`: browsers reach the service by https, and from then on only so.
    """

    def __init__(self, app: ASGIApp, *, over_tls: bool = False) -> None:
        self.app = app
        self.over_tls = over_tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and the answer back with headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("content-security-policy", CONTENT_SECURITY_POLICY)
                headers.setdefault("x-content-type-options", "nosniff")
                headers.setdefault("referrer-policy", "same-origin")
                headers.setdefault("permissions-policy", PERMISSIONS_POLICY)
                headers.setdefault("x-frame-options", "DENY")
                headers.setdefault("cross-origin-opener-policy", "same-origin")
                headers.setdefault("cross-origin-resource-policy", "same-origin")
                headers.setdefault("cache-control", "no-store")
                if self.over_tls:
                    headers.setdefault("strict-transport-security", "max-age=31536000")
            await send(message)

        await self.app(scope, receive, with_headers)


class SameOrigin:
    """Refuse a changing request that a browser sends from another site (cross-site request forgery).

    A browser says where a request comes from (`Sec-Fetch-Site`, `Origin`); programs say neither and pass.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on unless it changes something and comes from elsewhere."""
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS:
            headers = Headers(scope=scope)
            site = headers.get("sec-fetch-site", "none")
            origin = headers.get("origin")
            foreign = site not in {"same-origin", "none"} or (
                origin is not None and urlsplit(origin).netloc != headers.get("host", "")
            )
            if foreign:
                await Problem(403, "cross-site-request", "This request comes from another site.").response()(
                    scope, receive, send
                )
                return
        await self.app(scope, receive, send)
