"""The users file of a small site: TOML, one table a user, with an argon2id hash and roles. No password is in it.

[users."anna"]
hash = "$argon2id$..."
roles = ["reader", "lead"]
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from services.web.identity.passwords import is_hash
from services.web.identity.person import ROLES

# Who else may read hashes may guess passwords; who else may write may sign in as anybody.
_TOO_OPEN = stat.S_IWGRP | stat.S_IRWXO
_NAME = re.compile(r"[\w](?:[\w.@ '-]{0,126}[\w])?")
HEADER = (
    "# Users of Hilum's reading room; edit with `hilum users`. Not to be readable for others (mode 0600 or 0640).\n"
)


class BadUsersFile(Exception):
    """Why the file can't be used, in a line."""


@dataclass(frozen=True)
class User:
    """One table of the file."""

    name: str
    hash: str
    roles: frozenset[str]

    @property
    def stamp(self) -> str:
        """Changes with the password."""
        return hashlib.sha256(self.hash.encode()).hexdigest()


def good_name(name: str) -> bool:
    """Letters, digits, and . @ - ' _ or blanks within; at most 128 characters."""
    return bool(_NAME.fullmatch(name))


def read_users(path: Path) -> dict[str, User]:
    """The users by name; raises BadUsersFile."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadUsersFile(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadUsersFile(f"{path}: not UTF-8 text") from None
    if mode & _TOO_OPEN:
        raise BadUsersFile(f"{path}: mode {stat.S_IMODE(mode):04o} lets others in; run: chmod 600 {path}")
    try:
        tables = tomllib.loads(text).get("users", {})
    except tomllib.TOMLDecodeError as error:
        raise BadUsersFile(f"{path}: not TOML: {error}") from None
    if not isinstance(tables, dict):
        raise BadUsersFile(f"{path}: [users.NAME] tables are expected")
    return {name: _user(path, name, table) for name, table in tables.items()}


def _user(path: Path, name: str, table: object) -> User:
    if not good_name(name):
        raise BadUsersFile(f"{path}: {name[:40]!r} is no user's name")
    if not isinstance(table, dict) or set(table) != {"hash", "roles"}:
        raise BadUsersFile(f"{path}: user {name!r} needs hash and roles, and nothing else")
    encoded, roles = table["hash"], table["roles"]
    if not isinstance(encoded, str) or not is_hash(encoded):
        raise BadUsersFile(f"{path}: the hash of user {name!r} is no argon2id hash; run: hilum users passwd")
    if not isinstance(roles, list) or not roles or not set(map(str, roles)) <= set(ROLES):
        raise BadUsersFile(f"{path}: the roles of user {name!r} are one or more of {', '.join(ROLES)}")
    return User(name, encoded, frozenset(roles))


def write_users(path: Path, users: dict[str, User]) -> None:
    """Replace the file, whole or not at all; a new one is readable by its owner alone. Raises OSError."""
    lines = [HEADER]
    for user in sorted(users.values(), key=lambda user: user.name):
        # JSON's strings are TOML's basic strings.
        roles = ", ".join(json.dumps(role) for role in ROLES if role in user.roles)
        lines.append(f"\n[users.{json.dumps(user.name)}]\nhash = {json.dumps(user.hash)}\nroles = [{roles}]\n")
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as stream:
        stream.writelines(lines)
        stream.flush()
        with contextlib.suppress(FileNotFoundError, PermissionError):
            # The service may read it by its group: whoever edits the file must not lock everybody out.
            before = path.stat()
            os.fchown(stream.fileno(), before.st_uid, before.st_gid)
            os.fchmod(stream.fileno(), stat.S_IMODE(before.st_mode) & ~_TOO_OPEN)
        os.fsync(stream.fileno())
    Path(stream.name).replace(path)


class UsersFile:
    """The file as it is now: read again when it changed. A file that is broken meanwhile signs nobody in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._users: dict[str, User] = {}

    def users(self) -> dict[str, User]:
        """By name; raises BadUsersFile."""
        try:
            now = self.path.stat()
        except OSError as error:
            raise BadUsersFile(f"{self.path}: {error.strerror}") from None
        seen = (now.st_mtime_ns, now.st_ino, now.st_mode)
        if seen != self._seen:
            self._users = read_users(self.path)
            self._seen = seen
        return self._users
