"""Counters of the prober for releases that behave as their name says; run by a bare Python in a pod."""

import math
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

# Labels `release` and `pods`: the first letter tells the release.
GOOD, BAD, SILENT, RESET, SLOW, ACTIVE, NONSENSE = (letter * 64 for letter in "1234567")
BEGAN = time.time()
RATE, RESET_AFTER = 20, 45


def page(now: float) -> str:
    """The metrics: (all, failures, seconds in sum) per release."""
    n = int((now - BEGAN) * RATE)
    again = n if now - BEGAN < RESET_AFTER else int((now - BEGAN - RESET_AFTER) * RATE)
    told: dict[tuple[str, str], tuple[int, float, float]] = {
        ("preview", GOOD): (n, 0, n * 0.1),
        ("preview", BAD): (n, n // 5, n * 0.1),
        ("preview", SILENT): (500, 0, 50.0),
        ("preview", RESET): (again, 0, again * 0.1),
        ("preview", SLOW): (n, 0, n * 0.2),
        ("preview", NONSENSE): (n, math.nan, math.nan),
        ("active", ACTIVE): (n, 0, n * 0.1),
    }
    lines = []
    for (target, release), (count, failed, seconds) in told.items():
        labels = f'{{target="{target}",release="{release}",pods="{release}"}}'
        lines += [
            f"hilum_probes_total{labels} {count}",
            f"hilum_probe_failures_total{labels} {failed}",
            f"hilum_probe_seconds_count{labels} {count}",
            f"hilum_probe_log_milliseconds_total{labels} {logarithms(count, seconds)}",
        ]
    return "\n".join([*lines, ""])


def logarithms(count: int, seconds: float) -> float:
    """Sum of the logarithms of the times in milliseconds, all of them the mean."""
    return count * math.log(1000 * seconds / count) if count else 0.0


class Page(BaseHTTPRequestHandler):
    """Answers every path."""

    def do_GET(self) -> None:
        """The page as of now."""
        body = page(time.time()).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    HTTPServer(("", 8000), Page).serve_forever()
