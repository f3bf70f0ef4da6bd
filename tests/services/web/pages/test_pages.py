"""The pages as the server makes them, over real rows, films and scores."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sqlalchemy import select

from services.web.pages.assets import assets
from services.web.pages.bars import ALERT_PLACE, RULE_OUT_PLACE, place
from services.web.pages.card import to_html
from services.web.pages.pager import pager
from services.web.pages.words import percent, share
from services.web.tables import Answer
from tests.releases import FINDINGS, pattern_film
from tests.services.web.room import Room, open_room

HTML = {"accept": "text/html"}
PATHS = ("/", "/upload", "/history", "/self-test", "/about", "/findings/Effusion")
HOSTILE = "\"><script>alert(1)</script>'{{7*7}}"


class Tags(HTMLParser):
    """Every element of a page with its attributes, and how often each id stands there."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def text_of(room: Room, path: str) -> str:
    answer = room.client.get(path, headers=HTML)
    assert answer.status_code == 200, answer.text
    return answer.text


def scored(room: Room, block: int | None = 0, **fields: str) -> str:
    uid = room.sent((fields.pop("name", "film.png"), pattern_film(block)), **fields)
    room.settled(uid)
    return uid


@pytest.fixture
def one(room: Room) -> str:
    """A scored study whose first finding, Effusion, is present."""
    return scored(room, 0, accession="A1", patient_id="P1")


def test_no_page_needs_more_than_its_policy_allows(room: Room, one: str) -> None:
    room.read(one, {"Effusion": 1}, key="k")
    two = scored(room, 1)
    for path in (*PATHS, f"/studies/{one}", f"/studies/{one}?again=1", f"/studies/{two}", "/nowhere"):
        page = Tags(room.client.get(path, headers=HTML).text)
        for tag, attributes in page.elements:
            assert tag not in {"style", "iframe", "object", "base"}, path
            assert "style" not in attributes, (path, tag)
            assert not [name for name in attributes if name.startswith("on")], (path, tag)
            assert tag != "script" or attributes.get("src"), path
            for name in ("src", "href", "action"):
                assert not re.match(r"\w+:|//", attributes.get(name) or ""), (path, attributes[name])
        ids = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
        assert len(ids) == len(set(ids)), path


def test_every_page_says_what_it_is_not_for_who_reads_and_by_which_release(room: Room, one: str) -> None:
    for path in (*PATHS, f"/studies/{one}"):
        text = text_of(room, path)
        assert "Decision support. Not for primary diagnosis." in text, path
        assert "Reading as <b>reader</b>" in text
        assert "tiny 1.0.0" in text
        # The tiny release does not score it, so nothing leads there.
        assert "/pneumonia" not in text
        assert room.client.get(path).headers["cache-control"] == "no-store"


def test_each_asset_of_a_page_is_there_and_may_be_kept(room: Room) -> None:
    found = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', text_of(room, "/")))
    assert found
    for path in found:
        answer = room.client.get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    name = next(iter(assets().files))
    assert room.client.get(f"/static/otherhash/{name}").headers["cache-control"] == "no-cache"
    assert room.client.get(f"/static/{assets().digest}/..%2f..%2fsettings.py").status_code == 404


def test_names_from_outside_are_text_and_never_markup(room: Room) -> None:
    uid = scored(room, 0, accession=HOSTILE[:60], patient_id=HOSTILE[:60], site=HOSTILE, name=HOSTILE + ".png")
    room.read(uid, {"Effusion": 1}, key="k", comment=HOSTILE)
    for path in (
        "/?status=all",
        f"/?q={HOSTILE}",
        f"/studies/{uid}",
        f"/studies/{uid}?again=1",
        "/history",
        "/findings/Effusion",
    ):
        text = text_of(room, path)
        assert "<script>alert" not in text, path
        assert "49" not in re.findall(r"alert\(1\)&lt;/script&gt;&#39;(\d+)", text), path


def test_the_list_is_in_the_order_of_what_is_due(room: Room) -> None:
    uids = [scored(room, block, accession=f"A{block}") for block in (4, 2, 1)]
    scored(room, 3, accession="STAT", priority="STAT")
    text = text_of(room, "/")
    shown = re.findall(r'data-key="([\d.]+)"', text)
    assert shown == [study["uid"] for study in room.listed()]
    assert set(uids) < set(shown)
    assert re.search(r"Pneumothorax \d+\N{NO-BREAK SPACE}%", text)


def test_an_overdue_study_is_marked_in_words(tmp_path: Path, tiny_release: Path) -> None:
    with open_room(tmp_path, tiny_release, wait_critical_minutes=1e-5, wait_urgent_minutes=1e-4) as room:
        scored(room, 0)
        assert re.search(r"overdue by [\w ]+</time>", text_of(room, "/"))
        assert re.search(r"Overdue <b>1</b>", text_of(room, "/"))


def test_the_list_alone_is_not_sent_again_while_nothing_changed(room: Room, one: str) -> None:
    first = room.client.get("/?part=list")
    assert "<html" not in first.text
    again = room.client.get("/?part=list", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.text) == (304, "")
    room.read(one, {"Effusion": 1}, key="k")
    changed = room.client.get("/?part=list", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200


def test_an_empty_list_says_what_to_do(room: Room) -> None:
    assert "No study has arrived yet" in text_of(room, "/")
    assert "No study fits these filters" in text_of(room, "/?q=nobody")
    uid = scored(room)
    room.read(uid, {"Effusion": 0}, key="k")
    assert "Every study is read" in text_of(room, "/")


def test_the_study_page_orders_by_margin_and_greys_what_is_not_established(room: Room) -> None:
    uid = scored(room, FINDINGS.index("Hernia"))
    text = text_of(room, f"/studies/{uid}")
    rows = re.findall(r'<tr class="(\w+)" data-finding="([^"]+)"', text)
    assert rows[-1] == ("unestablished", "Hernia")
    assert sorted(name for _, name in rows) == sorted(FINDINGS)
    probabilities = {f["name"]: f["probability"] for f in room.study(uid)["answer"]["findings"]}
    established = [name for _, name in rows[:-1]]
    # All alert points of the tiny release are the same, so margins order as probabilities do.
    assert established == sorted(established, key=lambda name: -probabilities[name])


def test_a_bar_shows_the_probability_and_both_points(room: Room, one: str) -> None:
    text = text_of(room, f"/studies/{one}")
    effusion = next(f for f in room.study(one)["answer"]["findings"] if f["name"] == "Effusion")
    label = re.search(r'aria-label="Effusion ([^"]+)"', text)
    assert label
    assert label.group(1).startswith(f"{percent(effusion['probability'])}, at or above the alert point")
    assert f'width="{place(effusion["probability"], effusion["rule_out"], effusion["alert"])}"' in text


def test_a_blind_study_tells_nothing_before_its_read_and_all_after(tmp_path: Path, tiny_release: Path) -> None:
    with open_room(tmp_path, tiny_release, blind_share=1.0) as room:
        uid = scored(room, 0, accession="B1")
        with room.web.read() as session:
            (payload,) = session.scalars(select(Answer.payload))
        told = {str(f["probability"]) for f in payload["findings"]}
        told |= {f'width="{place(f["probability"], f["rule_out"], f["alert"])}"' for f in payload["findings"]}
        told |= {"data-heat-of", 'class="bar alert"', 'class="bar below"', "▲</span>"}
        for path in ("/", "/?band=critical", f"/studies/{uid}", f"/studies/{uid}?again=1", "/findings/Effusion"):
            text = text_of(room, path)
            assert "blind read" in text.lower(), path
            assert not [item for item in told if item in text], path
            rows = text.partition("<tbody")[2].partition("</tbody>")[0]
            assert not re.search(r"\d\s%|Critical|Urgent|Routine", rows), path
        order = re.findall(r'data-finding="([^"]+)"', text_of(room, f"/studies/{uid}"))
        assert order == list(FINDINGS)
        room.read(uid, {"Effusion": 0}, key="k")
        after = text_of(room, f"/studies/{uid}?saved=1")
        assert "Your blind read is saved." in after
        assert "differs" in after
        assert 'class="bar alert"' in after


def test_a_study_that_cannot_be_scored_says_why_and_can_be_read(room: Room) -> None:
    room.to_inference.cut = True
    uid = room.sent(pattern_film(0), accession="W1")
    text = text_of(room, f"/studies/{uid}")
    assert "Waiting for its score." in text
    assert "waiting for its score" in text_of(room, "/")


def test_a_read_study_shows_its_read_and_can_be_read_again(room: Room, one: str) -> None:
    room.read(one, {"Effusion": 1, "Hernia": -1}, key="k", comment="drain")
    text = text_of(room, f"/studies/{one}")
    assert 'id="read"' not in text
    assert "present: Effusion · uncertain: Hernia" in text
    again = Tags(text_of(room, f"/studies/{one}?again=1"))
    checked = {a["name"]: a["value"] for tag, a in again.elements if tag == "input" and "checked" in a}
    assert checked == {"Effusion": "1", "Hernia": "-1"}
    line = text_of(room, "/history")
    assert "present: Effusion" in line
    assert "drain" in line


def test_pages_lead_forward_and_back() -> None:
    first = pager("/", {"q": "x", "band": ""}, "", "", "c1")
    assert first.previous is None
    assert first.next == "/?q=x&cursor=c1&trail=-"
    second = pager("/", {"q": "x"}, "c1", "-", "c2")
    assert second.previous == "/?q=x"
    assert second.next == "/?q=x&cursor=c2&trail=-%2Cc1"
    third = pager("/", {}, "c2", "-,c1", None)
    assert (third.previous, third.next) == ("/?cursor=c1&trail=-", None)


def test_no_number_claims_certainty() -> None:
    assert percent(0.0) == "<0.1\N{NO-BREAK SPACE}%"
    assert percent(0.024) == "2.4\N{NO-BREAK SPACE}%"
    assert percent(0.0996) == "10\N{NO-BREAK SPACE}%"
    assert percent(1.0) == ">99\N{NO-BREAK SPACE}%"


def test_a_counted_share_may_be_none_or_all() -> None:
    assert [share(x) for x in (0.0, 1.0)] == ["0\N{NO-BREAK SPACE}%", "100\N{NO-BREAK SPACE}%"]
    assert share(0.9999) == percent(0.9999)


@pytest.mark.parametrize(("rule_out", "alert"), [(0.01, 0.02), (0.2, 0.6), (0.3, 0.3), (0.0, 1.0)])
def test_a_bar_grows_with_the_probability_and_passes_both_marks_at_the_points(rule_out: float, alert: float) -> None:
    places = [place(n / 1000, rule_out, alert) for n in range(1001)]
    assert places == sorted(places)
    assert 0 <= places[0] <= places[-1] <= 100
    assert place(alert, rule_out, alert) == round(ALERT_PLACE, 2)
    if rule_out < alert:
        assert place(rule_out, rule_out, alert) == round(RULE_OUT_PLACE, 2)


@pytest.mark.parametrize("path", ["/nowhere", "/studies/1.2.3", "/findings/No%20Such", "/?cursor=broken"])
def test_an_error_is_a_page_for_people_and_a_document_for_programs(room: Room, one: str, path: str) -> None:
    page = room.client.get(path, headers=HTML)
    assert page.status_code in {400, 404}
    assert page.headers["content-type"].startswith("text/html")
    assert "To the worklist" in page.text
    program = room.client.get(path)
    assert program.status_code == page.status_code
    assert program.headers["content-type"] == "application/problem+json"
    assert room.client.get("/v1/studies/1.2.3", headers=HTML).headers["content-type"] == "application/problem+json"


def test_when_the_rows_are_away_the_page_says_so(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    text_of(room, "/")
    broken: Callable[[], None] = room.web.prepared.clear
    monkeypatch.setattr("services.web.context.PREPARE_SECONDS", 0.01)
    broken()
    page = room.client.get("/", headers=HTML)
    room.web.prepared.set()
    assert page.status_code == 503
    assert "Hilum is not ready" in page.text
    assert page.headers["retry-after"]


def test_the_trial_says_when_it_must_wait_and_then_what_the_release_says(room: Room) -> None:
    room.to_inference.cut = True
    uid = room.sent(pattern_film(0))
    path = f"/findings/Effusion/studies/{uid}"
    assert room.client.get(path).headers["x-hilum-waiting"] == "yes"
    room.to_inference.cut = False
    room.settled(uid)
    answer = room.client.get(path)
    assert answer.headers["x-hilum-waiting"] == "no"
    assert "Effusion present" in answer.text


def test_a_model_card_cannot_bring_markup_of_its_own() -> None:
    card = to_html(
        "# Card\n\n<script>x</script> [a](javascript:x) ![b](http://c/d.png)\n\n|n|m|\n|-:|:-|\n|1|<b>2</b>|\n"
    )
    assert "<h2>Card</h2>" in card
    assert "<td>1</td>" in card
    assert not re.search(r"<script|<b>|<a |<img|style=", card)


def test_the_model_card_is_on_the_about_page_and_the_page_does_without_it(room: Room, one: str) -> None:
    assert "A tiny release for tests" in text_of(room, "/about")
    room.to_inference.cut = True
    text = text_of(room, "/about")
    assert "A tiny release for tests" not in text
    assert "Inference does not answer now" in text
