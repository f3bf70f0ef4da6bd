"""What a read must be beyond its shape, before it is kept for ever."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import UTC

from hilum.problems import Problem
from hilum.wire import ReadIn

_KEY = re.compile(r"[\x21-\x7e]{1,200}")


def valid_key(key: str | None) -> str:
    """The idempotency key; a 400 problem without one of 1 to 200 visible ASCII characters."""
    if key is None or not _KEY.fullmatch(key):
        raise Problem(
            400,
            "idempotency-key-required",
            "The header Idempotency-Key is needed: 1 to 200 visible ASCII characters, one key per read.",
        )
    return key


def _texts(read: ReadIn) -> Iterator[str]:
    yield from (read.study_uid, read.reader, read.site, read.comment, read.release_digest or "")
    yield from (read.replaces or "", read.shadow_digest or "", read.patient, read.request_digest)
    yield from itertools.chain(read.film_uids, read.film_keys, read.findings, read.labels, read.present)


def _storable(text: str) -> bool:
    """JSON can say what neither PostgreSQL nor UTF-8 can keep."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _defects(read: ReadIn) -> list[str]:
    if not all(map(_storable, _texts(read))):
        # Named no further: what can't be stored can't be answered either.
        return ["a text holds a NUL character or half a surrogate pair"]
    defects = []
    named = set(read.findings)
    if len(named) != len(read.findings):
        defects.append("findings names one twice")
    for field, names in (("labels", read.labels), ("present", read.present)):
        unknown = sorted(set(names) - named)
        if unknown:
            defects.append(f"{field} names what findings does not: {', '.join(unknown)[:200]}")
    if read.read_at.tzinfo is None:
        defects.append("read_at has no time zone")
    else:
        try:
            read.read_at.astimezone(UTC)
        except OverflowError:
            defects.append("read_at is no time of this world")
    if not all(read.film_uids):
        defects.append("film_uids holds an empty one")
    if read.film_keys and len(read.film_keys) != len(read.film_uids):
        defects.append("film_keys is not as long as film_uids")
    if read.kind == "withdrawal" and (read.replaces is None or read.labels):
        defects.append("a withdrawal names the read that it replaces and holds no label")
    return defects


def valid_read(read: ReadIn) -> ReadIn:
    """The read itself; a 422 problem that names every defect."""
    defects = _defects(read)
    if defects:
        raise Problem(422, "invalid-read", "; ".join(defects) + ".")
    return read
