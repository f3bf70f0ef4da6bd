"""The viewer in Firefox, where the machine has one: it paints the stored values as `hilum.imaging` shows them."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hilum.imaging import decode_frame
from tests.e2e.reading_room import ROOT, running

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]
FIREFOX = os.environ.get("HILUM_FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")
NEMA = ROOT / "samples" / "nema_rg1.dcm"


def drive(folder: Path, *steps: dict[str, str]) -> list[Any]:
    """What Firefox answers to each step (see firefox.mjs)."""
    profile = folder / "profile"
    profile.mkdir()
    command = ["node", "--experimental-websocket", "--no-warnings", str(Path(__file__).parent / "firefox.mjs")]
    environment = {**os.environ, "HOME": str(folder), "MOZ_HEADLESS": "1"}
    done = subprocess.run(
        [*command, str(FIREFOX), str(profile)],
        input=json.dumps(steps),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answers: list[Any] = json.loads(done.stdout)
    return answers


@pytest.mark.skipif(FIREFOX is None, reason="no Firefox here (apt: firefox-esr), and HILUM_FIREFOX names none")
def test_firefox_shows_a_15_bit_film_exactly_and_takes_the_same_keys(tmp_path: Path) -> None:
    frame = decode_frame(NEMA.read_bytes())
    with running(tmp_path, HILUM_BLIND_SHARE="0") as room:
        (uid,) = room.upload(NEMA)
        answers = drive(
            tmp_path,
            {"go": f"{room.url}/studies/{uid}"},
            {"until": "document.querySelector('.film.shown')?.dataset.painted !== undefined"},
            {"keys": "z"},
            {"ask": "document.querySelector('.film.shown canvas.pixels').toDataURL('image/png')"},
            {"ask": "document.querySelector('.film.shown .readout').textContent"},
            {"keys": "o"},
            {"ask": "document.querySelector('.film.shown .side[data-at=right]').textContent"},
            {"keys": "?"},
            {"ask": "document.querySelectorAll('#shortcuts kbd').length"},
            {"ask": "document.documentElement.scrollWidth <= innerWidth"},
            {"picture": ""},
        )
    with Image.open(BytesIO(base64.b64decode(answers[3].partition(",")[2]))) as image:
        stage = np.asarray(image.convert("L")).astype(int)
    height, width = stage.shape
    top, left = ((part - whole) // 2 for whole, part in zip(stage.shape, frame.values.shape, strict=True))
    expected = frame.table[frame.values[top : top + height, left : left + width]].astype(int)
    assert np.abs(stage - expected).max() <= 1
    assert answers[4].startswith("C 15000 W 30000 · 100 %")
    assert answers[6] == "H"
    assert answers[8] > 40
    assert answers[9] is True
    (tmp_path / "firefox.png").write_bytes(base64.b64decode(answers[10]))
