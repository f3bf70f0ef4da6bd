"""Users of tests and how they sign in."""

from __future__ import annotations

import httpx

from tests.services.web.room import Room

PASSWORD = "correct horse battery"
ROLES = {
    "anna": {"reader"},
    "bert": {"reader"},
    "lena": {"lead"},
    "adam": {"admin"},
    "olga": {"reader", "lead", "admin"},
}


def sign_in(room: Room, name: str, password: str = PASSWORD, wanted: str = "/") -> httpx.Response:
    """As the form of the page sends it; the client keeps the cookie, and says from now on what a browser says."""
    room.client.headers["sec-fetch-site"] = "same-origin"
    data = {"name": name, "password": password, "next": wanted}
    return room.client.post("/login", data=data, follow_redirects=False)
