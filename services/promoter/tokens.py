"""Who may ask the promoter for what. A line of the file: `name rights sha256-of-the-token`; `#` begins a comment.

Rights, separated by commas: `read` (status, records), `act` (approve, hold, resume, reject, rollback, in the token's
own name), `for` (act in another's name: the reading room, which has signed that person in).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path

from hilum.problems import Problem

RIGHTS = frozenset({"read", "act", "for"})


class BadTokens(ValueError):
    """The file is not what it should be; the text names the line."""


@dataclass(frozen=True)
class Holder:
    """Whose token it is, and what it may."""

    name: str
    rights: frozenset[str]


def sha256(token: str) -> str:
    """What the file keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def read(path: Path | None) -> dict[str, Holder]:
    """Holders by their token's sha256; no file: nobody. Raises BadTokens."""
    if path is None:
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadTokens(f"the file of tokens, {path.name}, can't be read") from error
    found = {}
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].split()
        if not text:
            continue
        if len(text) != 3 or len(text[2]) != 64 or not set(text[1].split(",")) <= RIGHTS:
            raise BadTokens(f"{path.name}, line {number}: `name read,act sha256-of-the-token` is what a line holds")
        found[text[2].lower()] = Holder(text[0], frozenset(text[1].split(",")))
    return found


def holder(path: Path | None, authorization: str, right: str) -> Holder:
    """Who sends this header; raises a 401 or 403 problem. The file is read anew: a revoked token ends at once."""
    kind, _, token = authorization.partition(" ")
    try:
        known = read(path)
    except BadTokens as error:
        raise Problem(503, "tokens-unreadable", f"{error}.") from error
    digest = sha256(token.strip())
    found = next((who for key, who in known.items() if hmac.compare_digest(key, digest)), None)
    if kind.lower() != "bearer" or found is None:
        headers = {"WWW-Authenticate": "Bearer"}
        raise Problem(401, "token-missing", "This needs a token that the promoter knows.", headers=headers)
    if right not in found.rights and not (right == "act" and "for" in found.rights):
        raise Problem(403, "right-missing", f"The token of {found.name} lacks the right `{right}`.")
    return found
