"""Runs in a pod: a receiver of traces in OpenTelemetry's own protocol buffers; GET shows each span, whole."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SPANS: list[dict[str, object]] = []


class Collector(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {a.key: a.value.string_value for a in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    SPANS.append({
                        "service": names["service.name"], "name": span.name, "trace": span.trace_id.hex(),
                        "id": span.span_id.hex(), "parent": span.parent_span_id.hex(),
                        "links": [link.trace_id.hex() for link in span.links], "whole": str(span),
                    })  # fmt: skip
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(SPANS).encode())

    def log_message(self, *_: object) -> None:
        pass


ThreadingHTTPServer(("", 4318), Collector).serve_forever()
