"""Numbers for the lead, against plain counting, on both databases."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from sqlalchemy import delete, insert

from services.web.numbers.facts import Mark, catch_up
from services.web.numbers.period import Period, last
from services.web.numbers.report import Numbers, numbers
from services.web.numbers.tables import AgreementHour, ReadFact
from services.web.pages.parts import parts
from services.web.pages.plot import plot
from services.web.tables import Answer, Read, Study
from tests.releases import FINDINGS, pattern_film
from tests.services.web.room import Room, wait_for

NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
RELEASE = "c" * 64


class Desk:
    """Writes studies and reads at given times."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.count = 0

    def study(self, at: datetime, *, band: str = "routine", wait: float = 60.0, synthetic: bool = False) -> str:
        """A study that arrived at `at` and is due `wait` minutes later; Effusion is present to the release."""
        self.count += 1
        uid = f"2.25.{self.count}"
        study = {
            "uid": uid, "accession": "", "accession_issuer": "", "patient_id": f"P-{self.count}",
            "patient_id_issuer": "",
            "site": "north" if self.count % 2 else "south", "priority": "", "location": "", "arrived_at": at,
            "status": "scored", "band": band, "score": 0.5, "reason": "x", "due_at": at + timedelta(minutes=wait),
            "answer_version": 1, "blind": False, "synthetic": synthetic,
        }  # fmt: skip
        found = [{"name": name, "present": name == "Effusion"} for name in ("Effusion", "Mass")]
        answer = {
            "study_uid": uid, "version": 1, "release_digest": RELEASE, "precision": "fp32",
            "payload": {"findings": found},
            "made_at": at,
        }  # fmt: skip
        with self.room.web.write() as session:
            session.execute(insert(Study), [study])
            session.execute(insert(Answer), [answer])
        return uid

    def read(
        self,
        uid: str,
        at: datetime,
        reader: str = "ada",
        *,
        version: int = 1,
        labels: dict[str, Any] | None = None,
        blind: bool = False,
    ) -> None:
        """A read of it."""
        row = {
            "id": f"{uid}-{version}", "study_uid": uid, "version": version, "reader": reader,
            "labels": {"Effusion": 1, "Mass": 0} if labels is None else labels, "answer_version": 1,
            "release_digest": RELEASE, "blind": blind, "read_at": at, "seconds_spent": 40.0, "comment": "",
            "request_digest": "0" * 64,
        }  # fmt: skip
        with self.room.web.write() as session:
            session.execute(insert(Read), [row])
            study = session.get(Study, uid)
            assert study is not None
            study.status, study.last_read_at = "read", at

    def numbers(self, period: Period | None = None, mark: Mark | None = None) -> Numbers:
        """The numbers of the last day, once everything is counted."""
        catch_up(self.room.web, mark or Mark())
        with self.room.web.read() as session:
            return numbers(session, period or last("day", NOW), NOW)


def ago(minutes: float) -> datetime:
    """So long before NOW."""
    return NOW - timedelta(minutes=minutes)


def test_waits_are_nearest_rank_percentiles_per_band(any_room: Room) -> None:
    desk = Desk(any_room)
    for minutes in range(1, 21):
        desk.read(desk.study(ago(300), band="critical", wait=15), ago(300 - minutes))
    desk.read(desk.study(ago(200), band="urgent", wait=240), ago(140))
    found = {wait.part: wait for wait in desk.numbers().bands}
    critical = found["critical"]
    assert (critical.studies, critical.late) == (20, 5)
    assert (critical.median_seconds, critical.p95_seconds, critical.longest_seconds) == (600, 1140, 1200)
    assert (found["urgent"].studies, found["urgent"].median_seconds, found["routine"].studies) == (1, 3600, 0)


def test_volume_and_overdue_follow_the_clock(any_room: Room) -> None:
    desk = Desk(any_room)
    late = desk.study(ago(5 * 60), wait=60)  # due 08:30, read 11:00
    desk.read(late, ago(90))
    desk.study(ago(4 * 60), wait=30)  # due 09:00, never read
    desk.read(desk.study(ago(3 * 60), wait=60), ago(2 * 60 + 30))  # in time
    desk.study(ago(48 * 60), wait=60)  # before the period, overdue all through it
    found = desk.numbers()
    by_hour = {step.start.hour: step for step in found.steps if step.start.day == 21}
    assert [by_hour[h].arrived for h in (7, 8, 9, 10)] == [1, 1, 1, 0]
    assert [by_hour[h].read for h in (9, 10, 11)] == [0, 1, 1]
    assert [by_hour[h].overdue for h in (7, 8, 9, 10, 11, 12)] == [1, 2, 3, 3, 2, 2]
    assert found.steps[0].overdue == 1
    assert [by_hour[h].longest_wait_seconds for h in (9, 10, 11)] == [0, 1800, 210 * 60]
    assert (found.now.unread, found.now.overdue, found.arrived) == (2, 2, 3)
    assert found.now.longest_wait_seconds == 48 * 3600
    assert found.now.longest_overdue_seconds == 47 * 3600


def test_agreement_is_counted_per_finding_blind_reads_apart(any_room: Room) -> None:
    desk = Desk(any_room)
    for labels, blind in (
        ({"Effusion": 1, "Mass": 0}, False),
        ({"Effusion": 0, "Mass": 1}, False),
        ({"Effusion": -1, "Mass": None}, True),
        ({"Effusion": 1}, True),
    ):
        desk.read(desk.study(ago(100)), ago(50), labels=labels, blind=blind)
    found = {(a.part, a.blind): a for a in desk.numbers().findings}
    effusion, mass, blind_ = found[("Effusion", False)], found[("Mass", False)], found[("Effusion", True)]
    assert (effusion.agree, effusion.disagree, effusion.missed, effusion.share) == (1, 1, 0, 0.5)
    assert (mass.agree, mass.disagree, mass.missed) == (1, 1, 1)
    assert (blind_.agree, blind_.disagree, blind_.uncertain, blind_.share) == (1, 0, 1, 1.0)
    assert ("Mass", True) not in found


def test_readers_sites_and_second_reviews(any_room: Room) -> None:
    desk = Desk(any_room)
    uids = [desk.study(ago(300)) for _ in range(4)]
    for n, uid in enumerate(uids):
        desk.read(uid, ago(200 - n), "ada")
    desk.read(uids[0], ago(20), "ben", version=2)
    desk.read(uids[1], ago(10), "ada", version=2)  # her own correction is no second review
    found = desk.numbers()
    readers = {reader.reader: reader for reader in found.readers}
    assert (readers["ada"].reads, readers["ada"].hours, readers["ada"].second) == (5, 2, 0)
    assert readers["ada"].reads_per_hour == 2.5
    assert (readers["ben"].reads, readers["ben"].second, readers["ben"].mean_seconds) == (1, 1, 40.0)
    assert (found.reads, found.first_reads, found.second_review_share) == (6, 4, 0.25)
    assert {wait.part: wait.studies for wait in found.sites} == {"north": 2, "south": 2}
    assert [wait.part for wait in found.releases] == [RELEASE]


def test_each_read_is_counted_once_however_often_it_is_looked_at(any_room: Room) -> None:
    desk = Desk(any_room)
    mark = Mark()
    desk.read(desk.study(ago(100)), ago(50))
    assert desk.numbers(mark=mark).reads == 1
    # A read that was committed later with an earlier time, as another replica's clock may have it.
    desk.read(desk.study(ago(100)), ago(55))
    assert desk.numbers(mark=mark).reads == 2
    again = desk.numbers(mark=Mark())
    assert (again.reads, sum(a.agree for a in again.findings)) == (2, 4)


def test_the_rows_can_be_emptied_and_are_made_again(room: Room) -> None:
    desk = Desk(room)
    for minutes in range(30):
        desk.read(desk.study(ago(100 + minutes)), ago(50 + minutes))
    before = desk.numbers()
    with room.web.write() as session:
        session.execute(delete(ReadFact))
        session.execute(delete(AgreementHour))
    assert desk.numbers() == before


def test_synthetic_studies_are_in_no_number(room: Room) -> None:
    desk = Desk(room)
    desk.read(desk.study(ago(100), synthetic=True), ago(50))
    desk.study(ago(100), synthetic=True, wait=1)
    found = desk.numbers()
    assert (found.reads, found.arrived, found.now.unread, found.now.overdue) == (0, 0, 0, 0)


def test_an_empty_room_has_numbers_and_a_page(room: Room) -> None:
    found = Desk(room).numbers()
    assert (found.arrived, found.second_review_share, len(found.steps)) == (0, None, 25)
    for period in ("day", "week", "month", "quarter", "year", "nonsense"):
        page = room.client.get("/numbers", params={"period": period})
        assert page.status_code == 200
        assert "Nothing was read in this period." in page.text


def test_a_read_made_in_the_room_is_on_the_page_in_the_json_and_in_the_csv(room: Room) -> None:
    uid = room.sent(pattern_film(2), site="=2+2")
    room.settled(uid)
    assert room.read(uid, {FINDINGS[2]: 1}, "k", answer_version=1).status_code == 201
    body = wait_for(lambda: [b for b in [room.client.get("/v1/numbers").json()] if b["reads"] == 1], 30)[0]
    assert body["readers"][0]["reader"] == room.web.settings.reader
    page = room.client.get("/numbers?period=day").text
    assert FINDINGS[2] in page
    # Four over time, nine by band, site, release, reader and finding; one of these without a value has no drawing.
    assert page.count('role="img"') == 13
    for heading in ("by band", "by site", "by release", "by reader", "by finding", "Longest wait", "Overdue studies"):
        assert heading in page
    answer = room.client.get("/v1/numbers.csv", params={"period": "day"})
    assert answer.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(StringIO(answer.text)))
    assert [line["value"] for line in lines if (line["section"], line["measure"]) == ("volume", "reads")] == ["1"]
    # A spreadsheet must not run what a sender wrote.
    assert {line["row"] for line in lines if line["section"] == "site"} == {"'=2+2"}


@pytest.mark.parametrize(
    "params",
    [
        {"period": "century"},
        {"since": "2026-11-21T00:00:00"},
        {"since": "2026-11-21T00:00:00Z", "until": "2026-11-20T00:00:00Z"},
        {"since": "1999-01-01T00:00:00Z"},
        {"since": "yesterday"},
    ],
)
def test_a_period_that_makes_no_sense_is_refused(room: Room, params: dict[str, str]) -> None:
    answer = room.client.get("/v1/numbers", params=params)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_plot_says_its_numbers() -> None:
    drawn = plot("Studies", "studies", ["a", "b", "c"], [0, 7, 3])
    assert [bar.says for bar in drawn.bars] == ["a: 0 studies", "b: 7 studies", "c: 3 studies"]
    assert drawn.bars[1].height > 2 * drawn.bars[2].height
    assert drawn.bars[0].height == 0
    assert "Greatest 7" in drawn.summary
    assert plot("None", "studies", [], []).bars == ()


def test_a_plot_of_parts_says_its_numbers_and_what_it_leaves_out() -> None:
    drawn = parts("Waits", ("median", "95 %"), [("<a>", (30.0, 60.0)), ("b", (None, 15.0))], lambda v: f"{v:.0f} s")
    first, second = drawn.lines
    assert [bar.says for line in drawn.lines for bar in line.bars] == ["30 s", "60 s", "–", "15 s"]
    assert first.bars[0].width == pytest.approx(first.bars[1].width / 2, abs=0.1)
    assert (second.bars[0].width, drawn.left_out) == (0, 0)
    assert second.bars[1].y > second.bars[0].y > first.bars[1].y
    assert drawn.summary == "Waits. <a>: median 30 s, 95 % 60 s; b: median –, 95 % 15 s"
    many = parts("Reads", ("all",), [(f"reader {n}", (n,)) for n in range(40)], str)
    assert len(many.lines) + many.left_out == 40
    assert parts("None", ("all",), [], str).summary == "None. Nothing yet."


def test_a_read_that_is_taken_back_counts_no_longer(room: Room) -> None:
    uid = room.sent(pattern_film(2))
    room.settled(uid)
    assert room.read(uid, {FINDINGS[2]: 1}, "k", answer_version=1).status_code == 201
    wait_for(lambda: room.client.get("/v1/numbers").json()["reads"] == 1, 30)
    answer = room.client.post(f"/v1/studies/{uid}/reads/k/withdraw", headers={"Idempotency-Key": "w"})
    assert answer.status_code in {200, 201}, answer.text
    found = wait_for(lambda: [b for b in [room.client.get("/v1/numbers").json()] if b["reads"] == 0], 30)[0]
    assert sum(part["agree"] + part["disagree"] for part in found["findings"]) == 0
