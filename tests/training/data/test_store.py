"""The store of frames: what serving would see, kept once, whatever interrupts the building."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import resource
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from hilum.imaging import decode as decode_film
from hilum.imaging.preprocess import squash
from hilum.storage.files import FileBlobs
from hilum.storage.open import open_blobs
from tests.conftest import S3
from tests.training.data.made import grey
from tests.training.films import ROOT
from training.data.exchange import open_target, pull, push
from training.data.manifest import BadData, Film, sha256
from training.data.shards import FrameStore
from training.data.store import decode, pixels_of

SIZE = 32


def _films(folder: Path, count: int = 6) -> list[Film]:
    paths = [grey(folder / f"film{n}.png", size=50 + n) for n in range(count)]
    return [Film(path.stem, path, sha256(path), "made", f"made:{path.stem}", (0,)) for path in paths]


def _store(folder: Path, shard_films: int = 4) -> FrameStore:
    store = FrameStore(folder, SIZE)
    store.shard_films = shard_films
    return store


def test_the_store_holds_what_serving_would_squash(tmp_path: Path) -> None:
    films = _films(tmp_path)
    store = _store(tmp_path / "store")
    assert store.build(films) == []
    frames = store.frames(films)
    assert frames.shape == (6, SIZE, SIZE)
    for film, frame in zip(films, pixels_of(frames[:]), strict=True):
        served = squash(decode_film(film.path.read_bytes()).pixels, SIZE, SIZE)
        np.testing.assert_allclose(frame, served, atol=1e-5)


@pytest.mark.parametrize("name", ["nih_test1.dcm", "nema_rg1.dcm", "nih_00001350_000.jpg"])
def test_real_films_of_every_kind_are_decoded_as_serving_does(name: str) -> None:
    path = ROOT / "samples" / name
    np.testing.assert_array_equal(decode(path), decode_film(path.read_bytes()).pixels)


def test_frames_are_indexed_like_an_array_and_pickle_as_paths(tmp_path: Path) -> None:
    films = _films(tmp_path)
    store = _store(tmp_path / "store")
    store.build(films)
    frames = store.frames(films[::-1])
    whole = np.asarray(frames)
    assert whole.dtype == np.uint16
    np.testing.assert_array_equal(frames[np.array([4, 0, 4])], whole[[4, 0, 4]])
    np.testing.assert_array_equal(frames[2], whole[2])
    np.testing.assert_array_equal(frames[1:3], whole[1:3])
    np.testing.assert_array_equal(frames.select(np.array([5, 1]))[:], whole[[5, 1]])
    assert len(frames[np.zeros(0, dtype=np.int64)]) == 0
    packed = pickle.dumps(frames)
    assert len(packed) < whole.nbytes / 4
    np.testing.assert_array_equal(pickle.loads(packed)[:], whole)


def test_a_film_that_can_not_be_decoded_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    films = _films(tmp_path)
    films[2].path.write_bytes(b"no film")
    store = _store(tmp_path / "store")
    ((film, reason),) = store.build(films)
    assert film is films[2]
    assert "film2.png: cannot be decoded" in reason
    assert len(store.frames([each for each in films if each is not film])) == 5
    with pytest.raises(BadData, match="1 films are not in the store"):
        store.frames(films)


def test_what_is_there_is_not_decoded_again(tmp_path: Path) -> None:
    films = _films(tmp_path)
    _store(tmp_path / "store").build(films[:3])
    for film in films[:3]:
        film.path.unlink()
    store = _store(tmp_path / "store")
    assert store.build(films) == []
    assert len(store.frames(films)) == 6


def _build(films: list[Film], folder: Path, pause: float) -> None:
    store = _store(folder, shard_films=1)
    store.build(films, tick=lambda count: time.sleep(pause))


def test_a_build_that_is_killed_goes_on_at_the_next_shard(tmp_path: Path) -> None:
    films = _films(tmp_path)
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_build, args=(films, tmp_path / "store", 0.2))
    process.start()
    folder = _store(tmp_path / "store").folder
    while len(list(folder.glob("*.json"))) < 2:
        time.sleep(0.01)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    done = {sha for path in folder.glob("*.json") for sha in json.loads(path.read_text())["films"]}
    assert 2 <= len(done) < len(films)
    for film in films:
        if film.sha256 in done:
            film.path.unlink()
    store = _store(tmp_path / "store", shard_films=1)
    assert store.build(films) == []
    assert len(np.asarray(store.frames(films))) == 6


def test_two_processes_that_build_at_once_decode_each_film_once(tmp_path: Path) -> None:
    films = _films(tmp_path)
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_build, args=(films, tmp_path / "store", 0.02)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    labels = [json.loads(path.read_text())["films"] for path in _store(tmp_path / "store").folder.glob("*.json")]
    assert sorted(sha for films_of in labels for sha in films_of) == sorted(film.sha256 for film in films)


def test_a_shard_that_was_cut_off_is_decoded_again(tmp_path: Path) -> None:
    films = _films(tmp_path)
    store = _store(tmp_path / "store")
    store.build(films)
    before = np.asarray(store.frames(films))
    cut = next(store.folder.glob("*.npy"))
    cut.write_bytes(cut.read_bytes()[:-100])
    with pytest.raises(BadData, match="not in the store"):
        store.frames(films)
    store.build(films)
    np.testing.assert_array_equal(np.asarray(store.frames(films)), before)


def _build_within(films: list[Film], folder: Path, limit: int, answer: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        _store(folder, shard_films=2).build(films)
    except BadData as error:
        answer.write_text(str(error))


def test_a_disk_that_fills_up_is_said_and_leaves_nothing_broken(tmp_path: Path) -> None:
    """A limit on the size of a file stands for the disk: the write fails in the same place."""
    films = _films(tmp_path)
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_build_within, args=(films, tmp_path / "store", 3000, tmp_path / "said"))
    process.start()
    process.join(60)
    said = (tmp_path / "said").read_text()
    assert "can't write" in said
    assert "free some space, or set HILUM_TRAINING_STORE" in said
    store = _store(tmp_path / "store")
    assert store.files() == []
    assert [path.name for path in store.folder.iterdir()] == [".lock"]
    assert store.build(films) == []


def test_too_little_free_space_is_said_before_anything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.data.shards.SPARE_BYTES", 10**18)
    with pytest.raises(BadData, match=r"the store needs .* GB in .* are free: free some space"):
        _store(tmp_path / "store").build(_films(tmp_path))


def test_a_store_in_a_bucket_saves_another_machine_the_decoding(
    tmp_path: Path, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HILUM_S3_ENDPOINT", s3.endpoint)
    films = _films(tmp_path)
    store = _store(tmp_path / "store")
    store.build(films)
    assert push(store, open_target(s3.url)) == 2
    assert push(store, open_target(s3.url)) == 0
    for film in films:
        film.path.unlink()
    other = _store(tmp_path / "other")
    assert pull(other, open_blobs(s3.url, s3.endpoint)) == 2
    assert other.build(films) == []
    np.testing.assert_array_equal(np.asarray(other.frames(films)), np.asarray(store.frames(films)))


def test_frames_that_were_damaged_on_the_way_are_refused(tmp_path: Path) -> None:
    store = _store(tmp_path / "store")
    store.build(_films(tmp_path))
    target = FileBlobs(tmp_path / "far")
    push(store, target)
    key = next(key for key in target.keys("") if key.endswith(".npy"))
    target.put(key, target.get(key)[:-2] + b"\0\1")
    with pytest.raises(BadData, match="the frames are not those of the index"):
        pull(_store(tmp_path / "other"), target)
