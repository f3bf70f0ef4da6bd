"""Signing in and out, and who a request comes from. Blocks (rows, argon2): call it in a thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from services.web.context import Web, utc_now
from services.web.identity import sessions, tokens
from services.web.identity.audit import Trail
from services.web.identity.limits import Buckets, LoginLimits
from services.web.identity.oidc import Provider
from services.web.identity.passwords import fits
from services.web.identity.person import ROLES, How, Person
from services.web.identity.sessions import Lifetime
from services.web.identity.tables import Session
from services.web.identity.users import BadUsersFile, User, UsersFile
from services.web.settings import WebSettings


@dataclass
class Automatic:
    """`make run` on loopback: its one person, without a session; the mask is remembered while the process runs."""

    masked: bool = False


@dataclass(frozen=True)
class Identity:
    """Of the running service. `automatic` is None as soon as a users file or a provider is set."""

    web: Web
    users: UsersFile | None
    automatic: Automatic | None
    provider: Provider | None
    trail: Trail
    pace: Buckets
    limits: LoginLimits = field(default_factory=LoginLimits)

    @classmethod
    def of(cls, web: Web) -> Identity:
        """As the settings say."""
        path = web.settings.users_file
        automatic = None if web.settings.signs_in else Automatic()
        rate = web.settings.requests_per_second
        return cls(
            web,
            users=UsersFile(Path(path)) if path else None,
            automatic=automatic,
            provider=Provider(web.settings) if web.settings.oidc_issuer else None,
            trail=Trail(web),
            pace=Buckets(10 * rate, rate),
        )

    @property
    def settings(self) -> WebSettings:
        """The service's settings."""
        return self.web.settings

    @property
    def lifetime(self) -> Lifetime:
        """How long sessions last."""
        settings = self.settings
        return Lifetime(
            timedelta(minutes=settings.session_idle_minutes), timedelta(hours=settings.session_longest_hours)
        )

    @property
    def cookie(self) -> str:
        """The cookie's name; the prefix makes browsers insist on TLS, this host and the whole of it (RFC 6265bis)."""
        return "__Host-hilum" if self.settings.behind_tls else "hilum_session"

    def person(self, cookie: str | None, *, active: bool) -> Person | None:
        """Who holds this cookie; `active`: the person did something, so that the idle time begins anew.

        Raises DatabaseUnavailable.
        """
        if self.automatic is not None:
            return Person(self.settings.reader, frozenset(ROLES), masked=self.automatic.masked)
        if not cookie or len(cookie) > 128:
            return None
        now = utc_now()
        with self.web.read() as rows:
            session = sessions.find(rows, cookie, now, self.lifetime)
        roles = None if session is None else self._roles(session)
        if session is None or not roles:
            return None
        if active and now - session.seen_at >= sessions.TOUCH:
            with self.web.write() as rows:
                sessions.touch(rows, session.key, now)
        how: How = "oidc" if session.how == "oidc" else "users-file"
        return Person(session.name, roles, how=how, session=session.key, masked=session.masked)

    def machine(self, authorization: str) -> Person | None:
        """Who sends this Authorization header; raises DatabaseUnavailable."""
        kind, _, secret = authorization.partition(" ")
        if kind.lower() != "bearer" or not secret.startswith(tokens.PREFIX) or len(secret) > 128:
            return None
        with self.web.read() as rows:
            return tokens.holder(rows, secret, utc_now())

    def _roles(self, session: Session) -> frozenset[str] | None:
        """Roles as they are now: a user who left the file, or whose password changed, is out at once."""
        if session.how == "oidc":
            return frozenset(session.roles)
        user = self.user(session.name)
        return user.roles if user is not None and user.stamp == session.stamp else None

    def user(self, name: str) -> User | None:
        """From the users file; None where it is broken, too."""
        if self.users is None:
            return None
        try:
            return self.users.users().get(name)
        except BadUsersFile:
            return None

    def check_password(self, name: str, password: str) -> User | None:
        """The user, None where name or password are wrong; both take as long."""
        user = self.user(name)
        return user if fits(password, user.hash if user else None) else None

    def begin(
        self,
        name: str,
        how: str,
        roles: frozenset[str],
        stamp: str = "",
        *,
        replaces: str | None = None,
        hint: str | None = None,
    ) -> str:
        """A new session's cookie; the session that the browser had before (`replaces`, a cookie) ends."""
        now = utc_now()
        with self.web.write() as rows:
            if replaces:
                sessions.revoke(rows, now, key=sessions.key_of(replaces))
            return sessions.begin(
                rows, name=name, how=how, roles=roles, stamp=stamp, now=now, lifetime=self.lifetime, hint=hint
            )

    def mask(self, person: Person, *, masked: bool) -> None:
        """Hide or show patients' identity in the person's session; a machine has none."""
        if person.how == "automatic" and self.automatic is not None:
            self.automatic.masked = masked
        elif person.session:
            with self.web.write() as rows:
                sessions.set_mask(rows, person.session, masked=masked)

    def end(self, person: Person) -> str | None:
        """Sign out; returns the ID token by which the provider's own session ends, where there is one."""
        if not person.session:
            return None
        with self.web.write() as rows:
            sessions.revoke(rows, utc_now(), key=person.session)
            row = rows.get(Session, person.session)
            return None if row is None else row.hint
