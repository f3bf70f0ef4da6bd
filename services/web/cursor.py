"""Opaque keyset cursors: the sort key of the last row of a page."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime

from hilum.problems import Problem


def encode_cursor(order: str, at: datetime, uid: str) -> str:
    """Text that `decode_cursor` reads; `order` names the sort order that it belongs to."""
    return base64.urlsafe_b64encode(json.dumps([order, at.isoformat(), uid]).encode()).decode().rstrip("=")


def decode_cursor(order: str, text: str) -> tuple[datetime, str]:
    """Time and uid of the last row of the previous page; raises a 400 problem for another list's or broken text."""
    try:
        padded = text + "=" * (-len(text) % 4)
        named, at, uid = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        moment = datetime.fromisoformat(at)
        if named != order or not isinstance(uid, str) or "\0" in uid or moment.tzinfo is None:
            raise ValueError("another list's cursor")
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise Problem(
            400, "bad-cursor", "The cursor is not one that this list gave; start from the first page."
        ) from None
    return moment, uid
