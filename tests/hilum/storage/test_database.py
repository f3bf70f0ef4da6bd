"""The same promises on SQLite and PostgreSQL."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Column, Engine, ForeignKey, Integer, MetaData, Table, func, insert, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, StatementError

from hilum.storage import (
    NAMING,
    DatabaseUnavailable,
    UtcDateTime,
    check,
    make_engine,
    plain_errors,
    reading,
    session_factory,
    writer_lock,
)
from tests.fixtures.ports import free_ports

metadata = MetaData(naming_convention=NAMING)
times = Table("times", metadata, Column("id", Integer, primary_key=True), Column("at", UtcDateTime))
counter = Table("counter", metadata, Column("id", Integer, primary_key=True), Column("value", Integer))
parts = Table("parts", metadata, Column("time", ForeignKey("times.id")))


@pytest.fixture
def rows(engine: Engine) -> Engine:
    """A database with tables and a counter at 0."""
    with engine.begin() as connection:
        metadata.create_all(connection)
        connection.execute(insert(counter).values(id=1, value=0))
    return engine


def test_a_time_keeps_its_instant_and_comes_back_in_utc(rows: Engine) -> None:
    written = datetime(2026, 11, 21, 9, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    with rows.begin() as connection:
        connection.execute(insert(times).values(id=1, at=written))
        connection.execute(insert(times).values(id=2, at=None))
    with reading(rows).connect() as connection:
        read, nothing = connection.scalars(select(times.c.at).order_by(times.c.id))
    assert read == written
    assert read.tzinfo is UTC
    assert nothing is None


def test_times_from_every_zone_sort_by_instant(rows: Engine) -> None:
    base = datetime(2026, 11, 21, 12, tzinfo=UTC)
    zones = [timezone(timedelta(hours=h)) for h in (-11, 0, 13)]
    with rows.begin() as connection:
        for number in range(9):
            at = (base + timedelta(microseconds=number)).astimezone(zones[number % 3])
            connection.execute(insert(times).values(id=number, at=at))
    with reading(rows).connect() as connection:
        assert list(connection.scalars(select(times.c.id).order_by(times.c.at))) == list(range(9))
        after = select(func.count()).where(times.c.at >= base + timedelta(microseconds=5))
        assert connection.scalar(after) == 4


def test_a_time_without_a_zone_is_refused(rows: Engine) -> None:
    with rows.begin() as connection, pytest.raises(StatementError, match="no time zone"):
        connection.execute(insert(times).values(id=1, at=datetime(2026, 1, 1)))  # noqa: DTZ001


def test_foreign_keys_are_enforced(rows: Engine) -> None:
    with pytest.raises(IntegrityError), rows.begin() as connection:
        connection.execute(insert(parts).values(time=99))


def test_many_that_read_and_then_write_neither_fail_nor_lose_one(rows: Engine) -> None:
    factory = session_factory(rows)

    def add_one(_: int) -> None:
        with factory.begin() as session:
            writer_lock(session, "counter")
            value = session.scalar(select(counter.c.value))
            session.execute(update(counter).values(value=value + 1))

    with ThreadPoolExecutor(30) as threads:
        list(threads.map(add_one, range(300)))
    with reading(rows).connect() as connection:
        assert connection.scalar(select(counter.c.value)) == 300


def test_a_reader_sees_one_snapshot_and_waits_for_no_writer(rows: Engine) -> None:
    with reading(rows).connect() as reader, rows.connect() as writer:
        assert reader.scalar(select(counter.c.value)) == 0
        writer.execute(update(counter).values(value=1))
        assert reader.scalar(select(counter.c.value)) == 0
        writer.commit()
        assert reader.scalar(select(counter.c.value)) == 0
    with reading(rows).connect() as reader:
        assert reader.scalar(select(counter.c.value)) == 1


def test_a_reading_transaction_can_not_write_and_does_not_spoil_its_connection(rows: Engine) -> None:
    for _ in range(3):
        with reading(rows).connect() as connection, pytest.raises(DatabaseUnavailable), plain_errors():
            connection.execute(update(counter).values(value=1))
        with reading(rows).connect() as connection, pytest.raises(ValueError, match="only reads"):
            writer_lock(connection, "counter")
        with rows.begin() as connection:
            connection.execute(update(counter).values(value=counter.c.value + 1))
    with reading(rows).connect() as connection:
        assert connection.scalar(select(counter.c.value)) == 3


def test_the_writers_lock_lets_one_at_a_time_pass(rows: Engine) -> None:
    order: list[str] = []
    holds, waits = threading.Event(), threading.Event()

    def second() -> None:
        holds.wait()
        waits.set()
        with rows.begin() as connection:
            writer_lock(connection, "one")
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with rows.begin() as connection:
        writer_lock(connection, "one")
        holds.set()
        waits.wait()
        thread.join(0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_commit_is_on_disk_when_it_returns(rows: Engine) -> None:
    with rows.connect() as connection:
        if rows.dialect.name == "sqlite":
            assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
            assert connection.scalar(text("PRAGMA synchronous")) == 2  # FULL
        else:
            assert connection.scalar(text("SHOW synchronous_commit")) == "on"


def test_an_answering_database_is_ready(engine: Engine) -> None:
    check(engine)


def test_a_dead_server_is_said_in_plain_words_without_the_password() -> None:
    engine = make_engine(f"postgresql://hilum:the-secret@127.0.0.1:{free_ports(1)[0]}/hilum")
    with pytest.raises(DatabaseUnavailable, match="can't be used") as away:
        check(engine)
    assert "the-secret" not in str(away.value)


def test_a_server_that_is_slow_to_take_a_connection_is_waited_for(postgres_url: str) -> None:
    url = make_url(postgres_url)

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)

    def late() -> None:
        client, _ = door.accept()
        time.sleep(3.5)
        with client, socket.create_connection((url.host, url.port)) as server:
            threading.Thread(target=pump, args=(server, client), daemon=True).start()
            pump(client, server)

    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=late, daemon=True).start()
        engine = make_engine(url.set(port=door.getsockname()[1]).render_as_string(hide_password=False))
        check(engine)
        engine.dispose()


def test_a_file_that_is_no_database_is_said_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "rows.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(DatabaseUnavailable, match="not a database"):
        check(make_engine(f"sqlite:///{tmp_path / 'rows.db'}"))


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://hilum:the-secret@host/rows"])
def test_another_database_is_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(ValueError, match="is needed") as refused:
        make_engine(url)
    assert "the-secret" not in str(refused.value)


def test_the_folder_of_a_sqlite_file_is_made(tmp_path: Path) -> None:
    check(make_engine(f"sqlite:///{tmp_path / 'new' / 'folder' / 'rows.db'}"))
    assert (tmp_path / "new" / "folder" / "rows.db").exists()
