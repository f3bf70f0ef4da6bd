"""`hilum dicom echo` and `send`."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli import make_app
from tests.fixtures.ports import free_ports
from tests.hilum.imaging.bodies import dicom
from tests.releases import make_tiny_release
from tests.services.web.dicom.sender import listening
from tests.services.web.room import open_room


def test_the_commands_reach_a_room_and_say_what_it_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HILUM_RESULTS_TO", raising=False)
    run, app = CliRunner(), make_app()
    good, bad = tmp_path / "good.dcm", tmp_path / "bad.dcm"
    good.write_bytes(dicom())
    bad.write_bytes(b"no film")
    release = make_tiny_release(tmp_path / "release").folder
    with open_room(tmp_path / "data", release) as room, listening(room) as here:
        to = f"dicom://HILUM@127.0.0.1:{here.port}"
        echoed = run.invoke(app, ["dicom", "echo", to])
        assert (echoed.exit_code, echoed.output.strip()) == (0, "It answers.")
        sent = run.invoke(app, ["dicom", "send", str(good), str(bad), "--to", to])
        assert sent.exit_code == 1
        assert "good.dcm: taken" in sent.output
        assert "bad.dcm: not taken" in sent.output
        assert room.rows()["films"] == 1
    nobody = run.invoke(app, ["dicom", "echo", f"dicom://HILUM@127.0.0.1:{free_ports(1)[0]}"])
    assert nobody.exit_code == 1
    assert "no: " in nobody.output
    wrong = run.invoke(app, ["dicom", "echo"])
    assert wrong.exit_code == 2
    assert "HILUM_RESULTS_TO" in wrong.output
