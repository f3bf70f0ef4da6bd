"""Where things are for infrastructure's tests, and how a test says that it can't run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

TF = Path(__file__).resolve().parents[2] / "tf"
# Where a machine without a way to the registry keeps providers; TF_PLUGIN_MIRROR names another folder.
MIRRORS = (Path("/opt/tf-plugins"), Path("/usr/local/share/terraform/plugins"), Path("/usr/share/terraform/plugins"))


def cannot_run(reason: str) -> NoReturn:
    """Skip and say why, or fail where HILUM_REQUIRE_REAL=1 says that everything must run."""
    if os.environ.get("HILUM_REQUIRE_REAL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def plugin_mirror() -> Path | None:
    """The folder of providers on this machine; None: Terraform asks its registry."""
    named = os.environ.get("TF_PLUGIN_MIRROR", "")
    if named:
        return Path(named)
    return next((folder for folder in MIRRORS if folder.is_dir()), None)
