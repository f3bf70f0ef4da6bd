"""The users file and `hilum users`."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.cli import make_app
from services.web.identity.passwords import fits, hashed, unfit
from services.web.identity.start import refuse_open_network
from services.web.identity.users import BadUsersFile, read_users
from services.web.settings import WebSettings

GOOD = "a long enough password"


def hilum(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(make_app(), ["users", *words], input=typed)


def test_users_are_added_listed_changed_and_removed(tmp_path: Path) -> None:
    file = str(tmp_path / "users.toml")
    added = hilum("add", "anna", "--role", "reader", "--role", "lead", "--file", file, typed=f"{GOOD}\n{GOOD}\n")
    assert added.exit_code == 0, added.output
    assert stat.S_IMODE(Path(file).stat().st_mode) == 0o600
    assert hilum("add", "o'neil", "--role", "admin", "--file", file, "--stdin", typed=f"{GOOD}\n").exit_code == 0
    assert hilum("list", "--file", file).output == "anna\tlead, reader\no'neil\tadmin\n"
    Path(file).chmod(0o640)
    before = read_users(Path(file))["anna"]
    assert hilum("passwd", "anna", "--file", file, "--stdin", typed=f"{GOOD} 2\n").exit_code == 0
    after = read_users(Path(file))["anna"]
    assert after.stamp != before.stamp
    assert fits(f"{GOOD} 2", after.hash)
    assert not fits(GOOD, after.hash)
    assert hilum("remove", "anna", "--file", file).exit_code == 0
    assert list(read_users(Path(file))) == ["o'neil"]
    assert stat.S_IMODE(Path(file).stat().st_mode) == 0o640, "who reads it by its group still does"
    assert GOOD not in Path(file).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "typed", "said"),
    [
        (["add", "anna", "--role", "reader"], "short\n", "at least 12 characters"),
        (["add", "anna", "--role", "reader"], "anna anna anna\n", "not the user's name"),
        (["add", "anna", "--role", "reader"], "aaaaaaaaaaaaaaaa\n", "one character repeated"),
        (["add", "anna", "--role", "boss"], f"{GOOD}\n", "no role 'boss'"),
        (["add", "<script>", "--role", "reader"], f"{GOOD}\n", "A name has letters"),
        (["add", "a\nb", "--role", "reader"], f"{GOOD}\n", "A name has letters"),
        (["passwd", "nobody"], f"{GOOD}\n", "no such file"),
    ],
)
def test_what_is_no_user_is_not_taken(tmp_path: Path, words: list[str], typed: str, said: str) -> None:
    file = tmp_path / "users.toml"
    options = ["--file", str(file), "--stdin"]
    done = hilum(*words, *options, typed=typed)
    assert done.exit_code == 1
    assert said.lower() in done.output.lower()
    assert not file.exists()


def test_a_name_is_not_taken_twice(tmp_path: Path) -> None:
    options = ["--role", "reader", "--file", str(tmp_path / "u.toml"), "--stdin"]
    assert hilum("add", "anna", *options, typed=f"{GOOD}\n").exit_code == 0
    assert "already" in hilum("add", "ANNA", *options, typed=f"{GOOD}\n").output


HASH = hashed(GOOD)


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("", 0o644, "chmod 600"),
        ("", 0o660, "chmod 600"),
        ("[users", 0o600, "not TOML"),
        ("users = 1", 0o600, "tables are expected"),
        ('[users.anna]\nhash = "secret"\nroles = ["reader"]', 0o600, "no argon2id hash"),
        ('[users.anna]\npassword = "secret"\nroles = ["reader"]', 0o600, "needs hash and roles"),
        (f'[users.anna]\nhash = "{HASH}"\nroles = []', 0o600, "one or more of"),
        (f'[users.anna]\nhash = "{HASH}"\nroles = ["root"]', 0o600, "one or more of"),
        (f'[users."<b>"]\nhash = "{HASH}"\nroles = ["reader"]', 0o600, "no user's name"),
        ("\udcff", 0o600, "not UTF-8"),
        ("", 0o600, "no user in it"),
    ],
)
def test_a_users_file_that_will_not_do_stops_the_start_with_a_line(
    tmp_path: Path, text: str, mode: int, said: str
) -> None:
    path = tmp_path / "users.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    path.chmod(mode)
    reason = refuse_open_network(WebSettings(users_file=str(path)))
    assert reason is not None
    assert said in reason
    assert "secret" not in reason


def test_a_users_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    assert "No such file" in str(refuse_open_network(WebSettings(users_file=str(tmp_path / "none.toml"))))
    with pytest.raises(BadUsersFile):
        read_users(tmp_path)


@pytest.mark.parametrize(
    ("host", "public_url", "allowed"),
    [
        ("127.0.0.1", "", True),
        ("127.0.0.1", "https://reading.example.org", True),
        ("0.0.0.0", "https://reading.example.org", True),
        ("0.0.0.0", "http://localhost:8080", True),
        ("0.0.0.0", "", False),
        ("0.0.0.0", "http://reading.example.org", False),
        ("0.0.0.0", "reading.example.org", False),
        ("127.0.0.1", "ftp://x", False),
    ],
)
def test_beyond_loopback_people_sign_in_over_tls(users: Path, host: str, public_url: str, allowed: bool) -> None:
    settings = WebSettings(host=host, users_file=str(users), public_url=public_url)
    assert (refuse_open_network(settings) is None) == allowed


def test_the_automatic_sign_in_is_refused_behind_a_proxy_too() -> None:
    assert refuse_open_network(WebSettings(public_url="https://reading.example.org")) is not None
    assert refuse_open_network(WebSettings(public_url="http://localhost:9000")) is None


def test_an_empty_password_and_an_unknown_user_never_fit() -> None:
    assert not fits("", None)
    assert not fits("", HASH)
    assert not fits("x" * 5000, HASH)
    assert unfit("x" * 5000, "anna")
