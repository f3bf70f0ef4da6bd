"""Saved views: each reader's own, kept under a name, one of them shown first, deleted and undone."""

from __future__ import annotations

from typing import Any

import pytest

from services.web.context import utc_now
from services.web.saved_views import MAX_VIEWS, save_view
from tests.services.web.room import Room
from tests.services.web.rows import NOW, add


def save(room: Room, name: str, filters: dict[str, str], **more: Any) -> dict[str, Any]:
    answer = room.client.post("/v1/views", json={"name": name, "filters": filters, **more})
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


def names(room: Room) -> list[str]:
    return [view["name"] for view in room.client.get("/v1/views").json()["views"]]


def test_a_view_is_kept_listed_by_name_and_replaced_under_its_name(any_room: Room) -> None:
    save(any_room, "night", {"band": "critical"})
    save(any_room, "ED", {"site": "ED", "unclaimed": "yes"})
    again = save(any_room, "Night", {"band": "urgent", "nonsense": "x", "since": "soon"})
    assert names(any_room) == ["ED", "Night"]
    assert again["filters"] == {"band": "urgent"}


def test_the_default_view_is_what_the_list_opens_with_and_all_stays_reachable(any_room: Room) -> None:
    add(any_room, 1, NOW, band="critical")
    add(any_room, 2, NOW, band="routine")
    save(any_room, "red first", {"band": "critical"}, is_default=True)
    answer = any_room.client.get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?band=critical&view=red+first")
    page = any_room.client.get("/").text
    assert 'data-key="1.2.1"' in page
    assert 'data-key="1.2.2"' not in page
    assert 'data-key="1.2.2"' in any_room.client.get("/", params={"status": "unread"}).text
    save(any_room, "other", {"band": "routine"}, is_default=True)
    assert [v["name"] for v in any_room.client.get("/v1/views").json()["views"] if v["is_default"]] == ["other"]


def test_deleting_is_undone_and_a_second_time_does_nothing(any_room: Room) -> None:
    view = save(any_room, "ED", {"site": "ED"}, is_default=True)
    for _ in range(2):
        assert any_room.client.delete(f"/v1/views/{view['id']}").status_code == 204
    assert names(any_room) == []
    assert any_room.client.get("/", follow_redirects=False).status_code == 200
    for _ in range(2):
        assert any_room.client.post(f"/v1/views/{view['id']}/restore").json() == view
    assert names(any_room) == ["ED"]


def test_what_was_saved_meanwhile_keeps_its_name_and_its_place(any_room: Room) -> None:
    view = save(any_room, "ED", {"site": "ED"}, is_default=True)
    any_room.client.delete(f"/v1/views/{view['id']}")
    save(any_room, "ed", {"site": "North"}, is_default=True)
    back = any_room.client.post(f"/v1/views/{view['id']}/restore").json()
    assert (back["name"], back["is_default"]) == ("ED (2)", False)


def test_nobody_sees_or_changes_anothers_views(any_room: Room) -> None:
    with any_room.web.write() as session:
        other = save_view(session, "mine", {"band": "urgent"}, reader="Dr. Novak", is_default=True, now=utc_now())
    assert names(any_room) == []
    assert any_room.client.delete(f"/v1/views/{other.id}").status_code == 404
    assert any_room.client.post(f"/v1/views/{other.id}/restore").status_code == 404
    assert any_room.client.get("/", follow_redirects=False).status_code == 200


@pytest.mark.parametrize("name", ["", "   ", "x" * 65, "a\0b"])
def test_a_name_that_is_none_is_refused(room: Room, name: str) -> None:
    assert room.client.post("/v1/views", json={"name": name, "filters": {}}).status_code == 422


def test_a_name_is_text_on_the_page_never_markup(room: Room) -> None:
    hostile = '"><script>alert(1)</script>'
    save(room, hostile, {"site": hostile})
    page = room.client.get("/", params={"view": hostile, "site": hostile, "q": hostile}).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_there_is_an_end_to_views(room: Room) -> None:
    for number in range(MAX_VIEWS):
        save(room, f"view {number}", {})
    assert room.client.post("/v1/views", json={"name": "one more", "filters": {}}).status_code == 409
    save(room, "view 0", {"band": "urgent"})
