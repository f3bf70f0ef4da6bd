"""GDCM's global symbols corrupt the memory of a process that also uses Pillow: no process of Hilum may load it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import JPEGLosslessSV1

from hilum.imaging import DamagedFilm, decode
from hilum.imaging.dicom import isolated
from tests.hilum.imaging.bodies import ROOT, compressed_by_gdcm, dicom, grey

SHOW = "print('libgdcm' in open('/proc/self/maps').read())"


def runs(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    "module", ["hilum.imaging", "hilum.imaging.preprocess", "services.laptop.app", "services.inference.app"]
)
def test_a_process_of_hilum_does_not_load_gdcm(module: str) -> None:
    assert runs(f"import gdcm; {SHOW}") == "True"
    assert runs(f"import {module}, pydicom.pixels; {SHOW}") == "False"


def test_jpeg_lossless_is_decoded_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "lossless.dcm"
    path.write_bytes(compressed_by_gdcm(dicom(), JPEGLosslessSV1, tmp_path))
    code = f"from hilum.imaging import decode; decode(open({str(path)!r}, 'rb').read()); {SHOW}"
    assert runs(code) == "False"


def test_a_crash_of_gdcm_is_only_a_damaged_film(tmp_path: Path) -> None:
    """The Huffman table claims more codes than there can be; GDCM's worker ends by a signal or an error."""
    deep = grey().astype(np.uint16) * 16
    body = bytearray(compressed_by_gdcm(dicom(deep, BitsStored=12), JPEGLosslessSV1, tmp_path))
    table = body.index(b"\xff\xc4")
    body[table + 5 : table + 21] = b"\xff" * 16
    with pytest.raises(DamagedFilm):
        decode(bytes(body))


def test_a_worker_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = compressed_by_gdcm(dicom(), JPEGLosslessSV1, tmp_path)
    sleeper = tmp_path / "sleeper.py"
    sleeper.write_text("import time; time.sleep(60)", encoding="utf-8")
    monkeypatch.setattr(isolated, "_WORKER", sleeper)
    monkeypatch.setattr(isolated, "TIMEOUT_SECONDS", 0.5)
    with pytest.raises(DamagedFilm, match="too long"):
        decode(body)


def test_the_tests_process_does_not_load_gdcm() -> None:
    assert "libgdcm" not in Path("/proc/self/maps").read_text(encoding="utf-8")
