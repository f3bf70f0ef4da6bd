"""Migrations on both databases: whole or not at all, one process at a time, services side by side."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, select, table, text

from hilum.storage import DatabaseUnavailable, make_engine, pending, upgrade

FIRST = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0001", None
def upgrade():
    op.create_table("{table}", sa.Column("id", sa.Integer, primary_key=True))
"""
SECOND = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    op.add_column("{table}", sa.Column("note", sa.Text))
"""
FAULTY = """
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    op.execute("CREATE TABLE half_done (id integer)")
    op.execute("this is no statement")
"""


def _folder(tmp_path: Path, *scripts: str, table: str = "things") -> Path:
    # Spaces and colons: the folder of an installation may have any name.
    folder = tmp_path / "mi gra:tions" / table
    folder.mkdir(parents=True, exist_ok=True)
    for number, script in enumerate(scripts):
        (folder / f"{number + 1:04}_step.py").write_text(script.replace("{table}", table))
    return folder


def _tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def test_an_empty_database_gets_its_tables_and_then_nothing_more(engine: Engine, tmp_path: Path) -> None:
    folder = _folder(tmp_path, FIRST, SECOND)
    assert pending(engine, "alpha", folder)
    upgrade(engine, "alpha", folder)
    assert not pending(engine, "alpha", folder)
    upgrade(engine, "alpha", folder)
    assert _tables(engine) == {"things", "alembic_version_alpha"}


def test_a_later_migration_keeps_the_rows(engine: Engine, tmp_path: Path) -> None:
    upgrade(engine, "alpha", _folder(tmp_path, FIRST))
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO things (id) VALUES (7)"))
    upgrade(engine, "alpha", _folder(tmp_path, FIRST, SECOND))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id, note FROM things")).all() == [(7, None)]


def test_two_services_share_a_database(engine: Engine, tmp_path: Path) -> None:
    upgrade(engine, "alpha", _folder(tmp_path, FIRST, table="things"))
    upgrade(engine, "beta", _folder(tmp_path, FIRST, SECOND, table="others"))
    assert _tables(engine) == {"things", "others", "alembic_version_alpha", "alembic_version_beta"}
    assert not pending(engine, "alpha", _folder(tmp_path, table="things"))
    assert not pending(engine, "beta", _folder(tmp_path, table="others"))


def test_a_faulty_migration_leaves_nothing_behind(engine: Engine, tmp_path: Path) -> None:
    folder = _folder(tmp_path, FIRST)
    upgrade(engine, "alpha", folder)
    _folder(tmp_path, FIRST, FAULTY)
    with pytest.raises(Exception, match=r"syntax error"):
        upgrade(engine, "alpha", folder)
    assert _tables(engine) == {"things", "alembic_version_alpha"}
    with engine.connect() as connection:
        assert connection.scalar(select(text("version_num")).select_from(table("alembic_version_alpha"))) == "0001"


REPLICA = """
import sys
from pathlib import Path
from hilum.storage import check, make_engine, upgrade
engine = make_engine(sys.argv[1])
check(engine)
print("ready", flush=True)
sys.stdin.readline()
upgrade(engine, "alpha", Path(sys.argv[2]))
"""


def test_replicas_that_start_together_migrate_once(engine: Engine, tmp_path: Path) -> None:
    # A pause in the midst, so that they do meet.
    slow = FIRST.replace("def upgrade():\n", "def upgrade():\n    __import__('time').sleep(1)\n")
    folder = _folder(tmp_path, slow, SECOND)
    command = [sys.executable, "-c", REPLICA, engine.url.render_as_string(hide_password=False), str(folder)]
    pipe = subprocess.PIPE
    replicas = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(3)]
    for replica in replicas:
        assert replica.stdout is not None
        assert replica.stdout.readline() == "ready\n"
    for replica in replicas:
        assert replica.stdin is not None
        replica.stdin.write("go\n")
        replica.stdin.flush()
    assert [(replica.communicate()[1], replica.returncode) for replica in replicas] == [("", 0)] * 3
    assert not pending(engine, "alpha", folder)


def test_a_migration_steps_back_for_a_version_at_work_and_is_tried_again(postgres_url: str, tmp_path: Path) -> None:
    engine = make_engine(postgres_url)
    upgrade(engine, "alpha", _folder(tmp_path, FIRST))
    # A weak lock, time for somebody to wait for it, and a strong lock: the two then wait for each other.
    both = SECOND.replace(
        'op.add_column("{table}"',
        'op.create_index("ix", "{table}", ["id"]); op.execute("SELECT pg_sleep(0.5)"); op.add_column("{table}"',
    )
    folder = _folder(tmp_path, FIRST, both)
    with ThreadPoolExecutor(1) as other, engine.begin() as at_work:
        # Who looks for deadlocks finds itself in one: here the migration, as on a busy list.
        at_work.execute(text("SET LOCAL deadlock_timeout = '60s'"))
        at_work.execute(text("SELECT id FROM things"))
        migrated = other.submit(upgrade, engine, "alpha", folder)
        while not _sleeps(engine):
            assert not migrated.done(), migrated.result()
        at_work.execute(text("INSERT INTO things (id) VALUES (8)"))
        at_work.commit()
        migrated.result(60)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id, note FROM things")).all() == [(8, None)]
    engine.dispose()


def _sleeps(engine: Engine) -> bool:
    with engine.connect() as connection:
        return bool(connection.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")))


def test_two_services_of_one_process_that_migrate_at_once_keep_to_their_own_database(tmp_path: Path) -> None:
    slow = FIRST.replace("def upgrade():\n", "def upgrade():\n    __import__('time').sleep(0.2)\n")
    engines = {name: make_engine(f"sqlite:///{tmp_path / name}.db") for name in ("alpha", "beta", "gamma")}
    folders = {name: _folder(tmp_path, slow, SECOND, table=name) for name in engines}
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda name: upgrade(engines[name], name, folders[name]), engines))
    for name, engine in engines.items():
        assert _tables(engine) == {name, f"alembic_version_{name}"}


def test_an_older_release_leaves_a_newer_database_alone(engine: Engine, tmp_path: Path) -> None:
    folder = _folder(tmp_path, FIRST, SECOND)
    upgrade(engine, "alpha", folder)
    (folder / "0002_step.py").unlink()
    upgrade(engine, "alpha", folder)
    assert not pending(engine, "alpha", folder)
    with engine.connect() as connection:
        connection.execute(text("SELECT note FROM things"))


def test_a_missing_folder_is_an_error(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no folder of migrations"):
        upgrade(engine, "alpha", tmp_path / "nothing")


def test_a_dead_database_is_unavailable(tmp_path: Path) -> None:
    folder = _folder(tmp_path, FIRST)
    (tmp_path / "rows.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(DatabaseUnavailable):
        upgrade(make_engine(f"sqlite:///{tmp_path / 'rows.db'}"), "alpha", folder)
