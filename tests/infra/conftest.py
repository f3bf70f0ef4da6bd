"""Infrastructure's tests: collected only with their own pytest.ini, so that a plain `pytest` never meets them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.places import TF, cannot_run, plugin_mirror

HERE = Path(__file__).resolve().parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave this folder out unless the run was started with its own configuration."""
    own = config.inipath is not None and config.inipath.resolve() == HERE / "pytest.ini"
    return None if own else True


@pytest.fixture(scope="session")
def terraform() -> str:
    """Path of the terraform command."""
    found = shutil.which("terraform")
    if found is None:
        cannot_run("terraform is not installed: fmt, validate, test and the simulated apply did not run")
    return found


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of tf/, so that no run leaves provider folders or state in the checkout."""
    folder = tmp_path_factory.mktemp("infra")
    shutil.copytree(
        TF, folder / "tf", ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*", "terraform.tfvars", "backend.hcl")
    )
    return folder / "tf"


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What Terraform's commands see: providers from the mirror, none of this machine's own cloud settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "OS_", "TF_"))}
    config = tmp_path_factory.mktemp("cli") / "terraform.rc"
    mirror = plugin_mirror()
    if mirror is None:
        config.write_text("", encoding="utf-8")
    else:
        config.write_text(
            f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n', encoding="utf-8"
        )
    return kept | {
        "TF_CLI_CONFIG_FILE": str(config),
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.fixture(scope="session", autouse=True)
def no_keys_of_this_machine() -> Iterator[None]:
    """boto3 in these tests talks to the simulation alone, with keys that open nothing."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [key for key in os.environ if key.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", "simulated")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "simulated")
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        yield
