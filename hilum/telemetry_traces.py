"""Traces over OTLP (OpenTelemetry), off unless an endpoint is set; then every call between services shares one trace.

A span carries methods, routes, statuses and durations: never a path, a header or anything of a film or a patient.
Nothing of OpenTelemetry is imported while traces are off.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

# The provider of this process's spans; None: traces are off.
_provider: Any = None
# When the request in hand began (time.perf_counter), for spans that are told after the fact.
_request_began: ContextVar[float | None] = ContextVar("request_began", default=None)


def configure(endpoint: str, service: str) -> None:
    """Send this process's spans to `endpoint` (`http://collector:4318`), in the background; empty: traces are off."""
    global _provider  # noqa: PLW0603 - one process, one place to which its spans go
    flush()
    if not endpoint:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    _provider = TracerProvider(resource=Resource.create({"service.name": f"hilum-{service}"}))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=5)
    _provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))


def flush() -> None:
    """Send what is left and send no more: at the end of a process."""
    global _provider
    provider, _provider = _provider, None
    if provider is not None:
        provider.shutdown()


def on() -> bool:
    """Whether spans are sent."""
    return _provider is not None


def _tracer() -> Any:
    return _provider.get_tracer("hilum")


@contextlib.contextmanager
def serving(method: str, headers: Mapping[str, str]) -> Iterator[Any]:
    """The span of one request, child of the caller's where its headers say so (W3C Trace Context); None while off."""
    if _provider is None:
        yield None
        return
    from opentelemetry.trace import SpanKind  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    parent = TraceContextTextMapPropagator().extract({name: headers[name] for name in _CONTEXT if name in headers})
    token = _request_began.set(time.perf_counter())
    try:
        with _tracer().start_as_current_span(
            method, context=parent, kind=SpanKind.SERVER, record_exception=False, set_status_on_exception=False
        ) as span:
            yield span
    finally:
        _request_began.reset(token)


_CONTEXT = ("traceparent", "tracestate")


def describe(span: Any, method: str, route: str, status: int) -> None:
    """Name a request's span by its route, which is known at the end."""
    if span is None:
        return
    from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415

    span.update_name(f"{method} {route}")
    span.set_attributes({"http.request.method": method, "http.route": route, "http.response.status_code": status})
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))


@contextlib.contextmanager
def calling(method: str) -> Iterator[dict[str, str]]:
    """The span of a call to another service; gives the headers that carry it on, none while traces are off."""
    if _provider is None:
        yield {}
        return
    from opentelemetry.trace import SpanKind  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    with _tracer().start_as_current_span(
        method, kind=SpanKind.CLIENT, record_exception=False, set_status_on_exception=False
    ):
        carried: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carried)
        yield carried


def current() -> str:
    """The span in hand as W3C traceparent, to be kept with what goes on later; empty while traces are off."""
    if _provider is None:
        return ""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    carried: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carried)
    return carried.get("traceparent", "")


@contextlib.contextmanager
def within(traceparent: str, name: str) -> Iterator[None]:
    """A span of work that goes on with the trace of `traceparent`, as `current` gave it; empty: a new trace."""
    if _provider is None:
        yield
        return
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    parent = TraceContextTextMapPropagator().extract({"traceparent": traceparent} if traceparent else {})
    # An error's text may quote a film's header: a span says no more than that there was one.
    with _tracer().start_as_current_span(name, context=parent, record_exception=False, set_status_on_exception=False):
        yield


def link(traceparent: str) -> None:
    """Say that the span in hand belongs to another trace too."""
    if _provider is None or not traceparent:
        return
    from opentelemetry.trace import get_current_span  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    other = get_current_span(TraceContextTextMapPropagator().extract({"traceparent": traceparent})).get_span_context()
    get_current_span().add_link(other)


def exemplar() -> dict[str, str] | None:
    """The trace in hand as an exemplar of a histogram; None while traces are off or nothing is in hand."""
    if _provider is None:
        return None
    from opentelemetry.trace import format_span_id, format_trace_id, get_current_span  # noqa: PLC0415

    context = get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return {"trace_id": format_trace_id(context.trace_id), "span_id": format_span_id(context.span_id)}


def tell(name: str, began: float, ended: float) -> None:
    """A child span of the request in hand from `began` to `ended` (time.perf_counter), told after the fact."""
    if _provider is None:
        return
    # Both clocks now, so that a clock set right in between moves nothing.
    offset = time.time() - time.perf_counter()
    span = _tracer().start_span(name, start_time=round((began + offset) * 1e9))
    span.end(round((ended + offset) * 1e9))


def tell_since_request(name: str, ended: float) -> None:
    """The same from the beginning of the request in hand."""
    if (began := _request_began.get()) is not None:
        tell(name, began, ended)
