"""Names of films and studies: cleaned text, checked UIDs, and UIDs for films that bring none."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath

from hilum.problems import Problem

# PS3.5 9.1 forbids leading zeros in a component, but they occur; what matters here is that a UID is a safe name.
_UID = re.compile(r"[0-9](?:[0-9.]{0,62}[0-9])?")


def is_uid(text: str) -> bool:
    """Whether `text` may name a film or study: digits and dots, at most 64."""
    return _UID.fullmatch(text) is not None


def derived_uid(*parts: str) -> str:
    """`2.25.` and 128 bits of a hash over `parts` (PS3.5 B.2): the same parts give the same UID."""
    joined = "\0".join(f"{len(part)}:{part}" for part in parts)
    number = int.from_bytes(hashlib.sha256(joined.encode()).digest()[:16], "big")
    return f"2.25.{number}"


def clean(text: str, longest: int) -> str:
    """`text` without control, direction and surrogate characters, spaces collapsed, at most `longest` characters."""
    kept = "".join(" " if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else c for c in text)
    return " ".join(kept.split())[:longest].strip()


def file_name(text: str | None) -> str:
    """The last part of a path that a browser or a program sent, cleaned; "film" where there is none."""
    last = PurePosixPath((text or "").replace("\\", "/")).name
    return clean(last, 120) or "film"


def form_text(name: str, text: str, longest: int) -> str:
    """A field of a form; raises a 422 problem where it holds control characters or is too long."""
    stripped = text.strip()
    if len(stripped) > longest:
        raise Problem(422, "invalid-field", f"{name}: at most {longest} characters.")
    if any(unicodedata.category(c) in {"Cc", "Cs"} for c in stripped):
        raise Problem(422, "invalid-field", f"{name}: control characters are not allowed.")
    return stripped
