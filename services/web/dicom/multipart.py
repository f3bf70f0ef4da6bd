"""Bodies of DICOMweb: multipart/related in (spooled to disk as it comes) and out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from hilum.problems import Problem

DICOM = "application/dicom"
# Each part lies in memory up to here, then on disk.
SPOOL_BYTES = 1_000_000


class Parts:
    """The parts of one request; `close` lets go of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.files: list[IO[bytes]] = []
        self.complete = False
        self._field = self._value = b""
        self._kind = ""

    def close(self) -> None:
        """Remove what lies on disk."""
        for file in self.files:
            file.close()

    def readers(self) -> list[Callable[[], bytes]]:
        """One for each part; each gives all its bytes and may be called again."""

        def reader(file: IO[bytes]) -> Callable[[], bytes]:
            def read() -> bytes:
                file.seek(0)
                return file.read()

            return read

        return [reader(file) for file in self.files]

    def begin(self) -> None:
        """A part begins."""
        if len(self.files) >= self._most:
            raise Problem(413, "too-many-parts", f"At most {self._most} instances in one request.")
        self.files.append(tempfile.SpooledTemporaryFile(SPOOL_BYTES))  # noqa: SIM115 - `close` closes it
        self._kind = ""

    def field(self, data: bytes, start: int, end: int) -> None:
        """Some bytes of a header's name."""
        self._field += data[start:end]

    def value(self, data: bytes, start: int, end: int) -> None:
        """Some bytes of a header's value."""
        self._value += data[start:end]

    def header(self) -> None:
        """A header is whole."""
        if self._field.lower() == b"content-type":
            self._kind = parse_options_header(self._value)[0].decode("latin-1").lower()
        self._field = self._value = b""

    def headers(self) -> None:
        """All headers of a part are there."""
        if self._kind not in {DICOM, ""}:
            raise Problem(415, "not-dicom", f"A part is {self._kind[:40]!r}; send instances as application/dicom.")

    def data(self, data: bytes, start: int, end: int) -> None:
        """Some bytes of a part."""
        self.files[-1].write(data[start:end])

    def end(self) -> None:
        """The closing boundary came."""
        self.complete = True


async def read_parts(request: Request, most: int) -> Parts:
    """The instances of a STOW-RS request; raises 400, 413, 415 and 503 problems, and then keeps nothing."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    parts = Parts(most)
    try:
        if kind == DICOM.encode():
            parts.begin()
            async for chunk in request.stream():
                parts.data(chunk, 0, len(chunk))
            return parts
        if kind != b"multipart/related" or options.get(b"type", DICOM.encode()).lower() != DICOM.encode():
            text = 'Send instances as multipart/related; type="application/dicom", or one as application/dicom.'
            raise Problem(415, "not-dicom", text)
        boundary = options.get(b"boundary", b"")
        if not 0 < len(boundary) <= 70:
            raise Problem(400, "bad-multipart", "The Content-Type names no boundary of 1 to 70 characters.")
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": parts.begin,
                "on_part_data": parts.data,
                "on_header_field": parts.field,
                "on_header_value": parts.value,
                "on_header_end": parts.header,
                "on_headers_finished": parts.headers,
                "on_end": parts.end,
            },
        )
        async for chunk in request.stream():
            parser.write(chunk)
        parser.finalize()
        if not parts.complete:
            raise Problem(400, "bad-multipart", "The body ends before its closing boundary; nothing was kept.")
    except MultipartParseError:
        parts.close()
        raise Problem(400, "bad-multipart", "The body is no multipart of this boundary; nothing was kept.") from None
    except ClientDisconnect:
        parts.close()
        raise Problem(400, "upload-cut-off", "The upload ended before it was whole; nothing was kept.") from None
    except OSError as error:
        parts.close()
        detail = f"The upload can't be held on disk ({error.strerror}); nothing was kept."
        raise Problem(503, "no-room-for-uploads", detail, headers={"Retry-After": "30"}) from error
    except BaseException:
        parts.close()
        raise
    return parts


def related(boundary: str, bodies: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """A multipart/related body of (content type, bytes), one part at a time."""
    for kind, body in bodies:
        yield f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode()
        yield body
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()
