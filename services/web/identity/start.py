"""Whether the reading room may listen where it is told to: nobody reaches patients' films without signing in."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from services.web.dicom.settings import LOOPBACK
from services.web.identity.oidc import is_safe_address
from services.web.identity.users import BadUsersFile, read_users
from services.web.settings import WebSettings

HOW = "Set HILUM_USERS_FILE (`hilum users add NAME`) or HILUM_OIDC_ISSUER; docs/security.md says how."


def refuse_open_network(settings: WebSettings) -> str | None:
    """Why the reading room does not start as it is set; None where it may."""
    checks = (_bad_address, _bad_users, _bad_provider, _unknown_people if not settings.signs_in else _in_the_open)
    return next((f"hilum: {reason}" for check in checks if (reason := check(settings))), None)


def _bad_address(settings: WebSettings) -> str | None:
    public = urlsplit(settings.public_url)
    if not settings.public_url or (public.scheme in {"http", "https"} and public.hostname):
        return None
    return f"HILUM_PUBLIC_URL: {settings.public_url[:80]!r} is no address such as https://reading.example.org."


def _bad_users(settings: WebSettings) -> str | None:
    if not settings.users_file:
        return None
    try:
        if read_users(Path(settings.users_file)):
            return None
    except BadUsersFile as error:
        return str(error)
    return f"{settings.users_file}: there is no user in it; run: hilum users add NAME --role reader"


def _bad_provider(settings: WebSettings) -> str | None:
    if settings.oidc_issuer and not is_safe_address(settings.oidc_issuer):
        return f"HILUM_OIDC_ISSUER: {settings.oidc_issuer[:80]!r} is no https address."
    path = settings.oidc_client_secret_file
    if path and not os.access(path, os.R_OK):
        return f"HILUM_OIDC_CLIENT_SECRET_FILE: {path} can't be read."
    return None


def _unknown_people(settings: WebSettings) -> str | None:
    if settings.on_loopback and (not settings.public_url or urlsplit(settings.public_url).hostname in LOOPBACK):
        return None
    where = f"serve {settings.public_url}" if settings.on_loopback else f"listen on {settings.host}"
    return (
        f"refusing to {where} while nobody has to sign in: anybody who reached it could see patients' films and sign "
        f"reads. {HOW}"
    )


def _in_the_open(settings: WebSettings) -> str | None:
    public = urlsplit(settings.public_url)
    if not settings.public_url:
        return None if settings.on_loopback else "HILUM_PUBLIC_URL is needed: the https address that people type."
    if public.scheme == "https" or public.hostname in LOOPBACK:
        return None
    return (
        f"HILUM_PUBLIC_URL: {settings.public_url[:80]!r} is not https: passwords and films would cross the network in "
        "the open. Let a proxy in front end TLS."
    )
