"""A release in the registry: whole, verified, once."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from mlflow.tracking import MlflowClient
from typer.testing import CliRunner

from hilum.release import Release, read_release
from hilum.release.signing import new_key, public_text
from services.cli import make_app
from tests.fixtures.ports import free_ports
from tests.fixtures.seaweed import SeaweedServer
from tests.releases import FINDINGS, make_tiny_release, trust
from training.registry import NotInRegistry, fetch, find, make_candidate, register, versions
from training.registry.errors import NotRegistered
from training.registry.register import LONGEST_CARD, short
from training.tracking.place import Place, client

KEY = new_key()
TRUSTED = frozenset({public_text(KEY)})


def tiny(folder: Path, version: str = "1.0.0", key: Ed25519PrivateKey = KEY, **changes: object) -> Release:
    return read_release(make_tiny_release(folder, key=key, version=version, **changes).folder, None)  # type: ignore[arg-type]


@pytest.fixture
def release(tmp_path: Path) -> Release:
    made = make_tiny_release(tmp_path / "release", key=KEY)
    return read_release(made.folder, TRUSTED)


@pytest.fixture
def made(local: Place) -> MlflowClient:
    return client(local)


def test_a_release_goes_to_postgresql_and_s3_and_comes_back_the_same(
    served: Place, release: Release, tmp_path: Path, s3_server: SeaweedServer, mlflow_bucket: str
) -> None:
    server = client(served)
    done = register(server, served, release)
    assert done.new
    tags = done.version.tags
    assert tags["hilum.digest"] == release.digest
    assert json.loads(tags["hilum.findings"]) == list(FINDINGS)
    assert (tags["hilum.precisions"], tags["hilum.signed_by"]) == ("fp32", public_text(KEY))
    assert {"hilum.data_digest", "hilum.commit", "hilum.run"} <= set(tags)
    assert "tiny release" in server.get_model_version("tiny", done.version.number).description
    assert register(server, served, release) == replace(done, new=False)
    assert make_candidate(server, done.version, TRUSTED) is None
    back = fetch(server, find(server, "tiny", "candidate"), tmp_path / "back", TRUSTED)
    assert (back.digest, back.signed_by) == (release.digest, public_text(KEY))
    assert {file.name for file in back.folder.iterdir()} == {file.name for file in release.folder.iterdir()}

    # Somebody changes the model in the bucket: it is neither a candidate any more nor fetched.
    storage = s3_server.client()
    (key,) = [
        each["Key"]
        for page in storage.get_paginator("list_objects_v2").paginate(Bucket=mlflow_bucket)
        for each in page["Contents"]
        if each["Key"].endswith(f"{done.version.run_id}/artifacts/release/MODEL_CARD.md")
    ]
    storage.put_object(Bucket=mlflow_bucket, Key=key, Body=b"# better than it is")
    server.delete_registered_model_alias("tiny", "candidate")
    with pytest.raises(NotRegistered, match=r"MODEL_CARD\.md has another sha256"):
        make_candidate(server, done.version, TRUSTED)
    assert find(server, "tiny", "1.0.0").aliases == ()
    with pytest.raises(NotRegistered, match="can't be used"):
        fetch(server, done.version, tmp_path / "again", None)
    assert not (tmp_path / "again").exists()


def test_a_whole_other_release_put_in_its_place_is_found_by_the_digest(
    local: Place, made: MlflowClient, release: Release, tmp_path: Path
) -> None:
    version = register(made, local, release).version
    other = tiny(tmp_path / "other", gain=3.0)
    stored = Path(version.source.removeprefix("file://"))
    for file in other.folder.iterdir():
        (stored / file.name).write_bytes(file.read_bytes())
    with pytest.raises(NotRegistered, match="it was changed after it was registered"):
        make_candidate(made, version, TRUSTED)


def test_another_content_under_the_same_version_is_refused(
    local: Place, made: MlflowClient, release: Release, tmp_path: Path
) -> None:
    register(made, local, release)
    with pytest.raises(NotRegistered, match="a version never changes"):
        register(made, local, tiny(tmp_path / "other", gain=3.0))
    assert len(versions(made, "tiny")) == 1


def test_an_upload_that_breaks_leaves_nothing_registered(local: Place, release: Release, tmp_path: Path) -> None:
    (tmp_path / "full").write_text("a file where the artifacts' folder should be", encoding="utf-8")
    broken = replace(local, artifacts=(tmp_path / "full").as_uri())
    made = client(broken)
    with pytest.raises(NotRegistered, match="nothing is registered"):
        register(made, broken, release)
    assert versions(made, "tiny") == []
    assert made.search_registered_models() == []
    experiment = made.get_experiment_by_name("hilum-releases")
    assert experiment is not None
    assert made.search_runs([experiment.experiment_id]) == []


def test_a_folder_that_changes_after_it_was_verified_is_not_registered(
    local: Place, made: MlflowClient, release: Release
) -> None:
    (release.folder / "MODEL_CARD.md").write_text("# changed", encoding="utf-8")
    with pytest.raises(NotRegistered, match=r"MODEL_CARD\.md"):
        register(made, local, release)
    assert versions(made, "tiny") == []


def test_two_registrations_at_once_make_one_version(local: Place, release: Release) -> None:
    client(local)
    done: list[str] = []

    def work() -> None:
        done.append(register(client(local), local, release).version.number)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (only,) = versions(client(local), "tiny")
    assert done == [only.number] * 2


def test_the_candidate_moves_and_says_from_where_and_a_rejected_one_stays_out(
    local: Place, made: MlflowClient, release: Release, tmp_path: Path
) -> None:
    first = register(made, local, release).version
    second = register(made, local, tiny(tmp_path / "second", "1.1.0")).version
    make_candidate(made, first, TRUSTED)
    before = make_candidate(made, second, TRUSTED)
    assert before is not None
    assert before.version == "1.0.0"
    assert [(each.version, each.aliases) for each in versions(made, "tiny")] == [
        ("1.1.0", ("candidate",)),
        ("1.0.0", ()),
    ]
    made.set_model_version_tag("tiny", first.number, "hilum.rejected", "AUROC 0.61 under 0.70, n 400")
    with pytest.raises(NotRegistered, match=r"AUROC 0\.61"):
        make_candidate(made, find(made, "tiny", "1.0.0"), TRUSTED)
    with pytest.raises(NotRegistered, match="not trusted"):
        make_candidate(made, second, frozenset({public_text(new_key())}))


def test_a_version_that_is_not_there_is_named_with_those_that_are(
    local: Place, made: MlflowClient, release: Release
) -> None:
    with pytest.raises(NotInRegistry, match="no release 'tiny' is registered"):
        find(made, "tiny", "1.0.0")
    register(made, local, release)
    with pytest.raises(NotInRegistry, match=r"'2\.0\.0'; it has 1\.0\.0"):
        find(made, "tiny", "2.0.0")


def test_a_long_card_is_cut_at_a_line_and_says_so() -> None:
    card = "# Card\n" + "a line of the card\n" * 1000
    cut = short(card)
    assert len(cut) <= LONGEST_CARD
    assert cut.startswith("# Card")
    assert "Cut here" in cut
    assert short("# Short") == "# Short"


def test_the_commands_register_propose_list_and_fetch(local: Place, release: Release, tmp_path: Path) -> None:
    environment = {"HILUM_MLFLOW": local.uri, "HILUM_DATA": str(tmp_path / "data"), "COLUMNS": "160"}
    keys = str(trust(tmp_path / "keys.txt", KEY))

    def hilum(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(make_app(), ["release", *words], env=environment)
        return done.exit_code, done.output

    folder = str(release.folder)
    assert hilum("register", folder, "--keys", str(trust(tmp_path / "others.txt", new_key())))[0] == 1
    assert hilum("versions", "tiny")[0] == 1
    status, text = hilum("register", folder, "--keys", keys)
    assert (status, "registered: tiny 1.0.0, number 1" in text) == (0, True), text
    assert "registered before: tiny 1.0.0, number 1" in hilum("register", folder, "--keys", keys)[1]
    assert "is the candidate" in hilum("candidate", "tiny", "1.0.0", "--keys", keys)[1]
    assert "candidate" in hilum("versions", "tiny", "--tags")[1]
    out = tmp_path / "out"
    assert hilum("fetch", "tiny", "1.0.0", str(out), "--keys", keys)[0] == 0
    assert read_release(out, TRUSTED).digest == release.digest
    status, text = hilum("fetch", "tiny", "1.0.0", str(out), "--keys", keys)
    assert (status, "is there already" in text) == (1, True)


def test_mlflow_away_is_one_line_with_the_remedy(release: Release) -> None:
    away = f"http://127.0.0.1:{free_ports(1)[0]}"
    done = CliRunner().invoke(make_app(), ["release", "register", str(release.folder), "--mlflow", away, "--keys", ""])
    assert done.exit_code == 2
    assert "does not answer" in done.output
    assert len(done.output.strip().splitlines()) == 1
