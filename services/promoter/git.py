"""Git: the only place that the promoter writes to. A push that is no fast-forward is refused, and that is the fence.

No working tree and no index: a commit is made of objects on top of the head that was read, and pushed to the branch by
name. Where somebody else was faster nothing is rebased; the head is read anew and everything is decided again, for a
decision belongs to the state it was made on. The local repository is a cache: damaged, it is made again.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from services.promoter.bundle import FOLDER

SECONDS = 60
BOT = ("Hilum promoter", "promoter@hilum.invalid")
# A path that the promoter may write: its own file, and the bundles.
_OWN = re.compile(rf"{FOLDER}/(promotion\.json|[a-z]+/bundle\.yaml)")
_FASTER = ("non-fast-forward", "fetch first", "stale info", "cannot lock ref", "failed to update ref")


class GitUnavailable(Exception):
    """Git can't be reached or does not answer as it should; try again later."""


class Overtaken(Exception):
    """Somebody else pushed first: read the head anew and decide again."""


class Forbidden(Exception):
    """A file outside of what the promoter may write."""


@dataclass(frozen=True)
class Head:
    """A commit of the branch and the files that matter, by path; a file that is not there is missing here."""

    commit: str
    files: Mapping[str, str]


class Git:
    """`url`'s `branch`, through a bare repository at `cache`. `token` is a password, never on a command line."""

    def __init__(self, url: str, branch: str, cache: Path, token: str = "", bot: tuple[str, str] = BOT) -> None:
        self.url = url
        self.branch = branch
        self._cache = cache
        self._bot = bot
        self._environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(cache.parent),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
            "LC_ALL": "C",
            **{k: v for k, v in os.environ.items() if k in {"GIT_SSL_CAINFO", "GIT_SSH_COMMAND", "GIT_EXEC_PATH"}},
        }
        settings = {"http.lowSpeedLimit": "100", "http.lowSpeedTime": "20", "gc.auto": "0", "protocol.version": "2"}
        if token:
            secret = base64.b64encode(f"promoter:{token}".encode()).decode()
            settings["http.extraHeader"] = f"Authorization: Basic {secret}"
        for n, (name, value) in enumerate(settings.items()):
            self._environment |= {f"GIT_CONFIG_KEY_{n}": name, f"GIT_CONFIG_VALUE_{n}": value}
        self._environment["GIT_CONFIG_COUNT"] = str(len(settings))

    def read(self) -> Head:
        """The branch's head as it is now. Raises GitUnavailable."""
        for again in (True, False):
            try:
                self._fetch()
                commit = self._run("rev-parse", "FETCH_HEAD").strip()
                return Head(commit, self._files(commit))
            except GitUnavailable as error:
                # A lock or a half object that a killed process left: the cache goes, the remote has all of it.
                if not again or self._away(error):
                    raise
                shutil.rmtree(self._cache, ignore_errors=True)
        raise AssertionError  # unreachable: the second turn returns or raises

    def write(self, head: Head, files: Mapping[str, str], message: str, at: datetime, branch: str = "") -> str:
        """Commit `files` on top of `head` and push it to the branch (or to the new branch `branch`).

        Raises Forbidden before anything is written, Overtaken, GitUnavailable. Whether a push that broke off was kept
        is not known: the next `read` shows it.
        """
        for path in files:
            if not _OWN.fullmatch(path):
                raise Forbidden(f"the promoter does not write {path}")
        commit = self._commit(head, files, message, at)
        target = branch or self.branch
        done = self._call("push", "--quiet", "--porcelain", self.url, f"{commit}:refs/heads/{target}")
        if done.returncode:
            said = f"{done.stdout}\n{done.stderr}"
            if any(word in said for word in _FASTER):
                raise Overtaken(f"another commit reached {target} first")
            raise GitUnavailable(self._plain(said) or "the push failed")
        return commit

    def has(self, branch: str) -> bool:
        """Whether the remote has a branch of this name. Raises GitUnavailable."""
        return bool(self._run("ls-remote", "--heads", self.url, f"refs/heads/{branch}").strip())

    def _fetch(self) -> None:
        if not (self._cache / "HEAD").exists():
            self._cache.mkdir(parents=True, exist_ok=True)
            self._run("init", "--quiet", "--bare")
        self._run("fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-commit-graph", self.url,
                  f"refs/heads/{self.branch}")  # fmt: skip

    def _files(self, commit: str) -> dict[str, str]:
        listed = self._run("ls-tree", "-r", commit, f"{FOLDER}/").splitlines()
        entries = [line.partition("\t") for line in listed]
        blobs = {path: info.split()[2] for info, _, path in entries if _OWN.fullmatch(path)}
        out = self._run("cat-file", "--batch", text="".join(f"{blob}\n" for blob in blobs.values()))
        files, rest = {}, out.encode()
        for path in blobs:
            head, _, rest = rest.partition(b"\n")
            size = int(head.split()[-1])
            files[path], rest = rest[:size].decode(), rest[size + 1 :]
        return files

    def _commit(self, head: Head, files: Mapping[str, str], message: str, at: datetime) -> str:
        index = self._cache / f"index-{os.getpid()}"
        index.unlink(missing_ok=True)
        more = {"GIT_INDEX_FILE": str(index)}
        try:
            self._run("read-tree", head.commit, more=more)
            for path, text in files.items():
                blob = self._run("hash-object", "-w", "--stdin", text=text).strip()
                self._run("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", more=more)
            tree = self._run("write-tree", more=more).strip()
        finally:
            index.unlink(missing_ok=True)
        moment = at.isoformat()
        who = {"AUTHOR": self._bot, "COMMITTER": self._bot}
        for role, (name, mail) in who.items():
            more |= {f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": mail, f"GIT_{role}_DATE": moment}
        return self._run("commit-tree", tree, "-p", head.commit, text=message, more=more).strip()

    def _call(
        self, *arguments: str, text: str | None = None, more: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(  # noqa: S603
                ["git", "--git-dir", str(self._cache), *arguments],  # noqa: S607
                env={**self._environment, **(more or {})},
                input=text,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=SECONDS,
                check=False,
            )
        except (subprocess.TimeoutExpired, OSError) as error:
            raise GitUnavailable(f"git {arguments[0]}: {type(error).__name__}") from error

    def _run(self, *arguments: str, text: str | None = None, more: dict[str, str] | None = None) -> str:
        done = self._call(*arguments, text=text, more=more)
        if done.returncode:
            raise GitUnavailable(self._plain(done.stderr) or f"git {arguments[0]} failed")
        return done.stdout

    def _plain(self, said: str) -> str:
        """The last line that says something, without a password in an address."""
        lines = [line for line in said.splitlines() if line.strip() and line.strip() != "Done"]
        return re.sub(r"//[^/@\s]*@", "//", lines[-1].strip())[:300] if lines else ""

    @staticmethod
    def _away(error: GitUnavailable) -> bool:
        words = ("unable to access", "Could not resolve", "Connection", "couldn't find remote ref", "not found")
        return any(word in str(error) for word in words) or "TimeoutExpired" in str(error)
