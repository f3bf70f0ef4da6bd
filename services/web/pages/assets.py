"""Static files, held in memory and named by a hash over all of them, so that a browser may keep them for ever.

The hash is part of the path, not of a query: the modules import each other by relative paths, which then carry it too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.responses import Response

from hilum.problems import Problem

FOLDER = Path(__file__).resolve().parent.parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
WORKER = "worker.js"
KEEP = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Assets:
    """`files`: name -> (media type, bytes). `digest` changes when any of them does."""

    digest: str
    files: dict[str, tuple[str, bytes]]

    def url(self, name: str) -> str:
        """Where `name` is served; raises KeyError for a file that is not there."""
        _ = self.files[name]
        return f"/static/{self.digest}/{name}"

    def response(self, digest: str, name: str) -> Response:
        """The file; another release's hash gets today's file, not to be kept. Raises a 404 problem."""
        if name not in self.files:
            raise Problem(404, "no-such-file", "There is no such file.")
        media_type, content = self.files[name]
        headers = {"cache-control": KEEP if digest == self.digest else "no-cache"}
        if name == WORKER:
            # A worker may look after the paths below its own only, unless it is said otherwise.
            headers["service-worker-allowed"] = "/"
        return Response(content, media_type=media_type, headers=headers)


@cache
def assets() -> Assets:
    """All static files, read once."""
    files = {
        path.name: (_TYPES[path.suffix], path.read_bytes())
        for path in sorted(FOLDER.iterdir())
        if path.suffix in _TYPES
    }
    whole = hashlib.sha256()
    for name, (_, content) in files.items():
        whole.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return Assets(whole.hexdigest()[:16], files)
