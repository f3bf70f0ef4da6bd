"""What Terraform and checkov say without any cloud: layout, validity, native tests with mocks, known weaknesses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infra.command import Terraform
from tests.infra.places import TF, cannot_run, plugin_mirror

pytestmark = pytest.mark.infra


def has_provider(source: str) -> bool:
    """Whether the mirror holds a provider; without a mirror the registry is asked, so then yes."""
    mirror = plugin_mirror()
    return mirror is None or any(mirror.glob(f"*/{source}/*"))


@pytest.fixture(scope="module")
def aws(terraform: str, environment: dict[str, str], workspace: Path) -> Terraform:
    """terraform in the AWS module, its provider installed."""
    module = Terraform(terraform, workspace / "modules/aws", environment)
    module.do("init", "-backend=false")
    return module


def test_every_file_is_laid_out_by_terraform_fmt(terraform: str, environment: dict[str, str]) -> None:
    answer = Terraform(terraform, TF, environment).ask("fmt", "-check", "-recursive", "-diff")
    assert answer.status == 0, answer.output


def test_the_aws_module_is_valid(aws: Terraform) -> None:
    assert json.loads(aws.do("validate", "-json"))["valid"]


def test_the_native_tests_of_the_aws_module_pass(aws: Terraform) -> None:
    answer = aws.ask("test", "-no-color")
    assert answer.status == 0, answer.output
    assert re.search(r"Success! [0-9]+ passed, 0 failed", answer.text), answer.text[-500:]


def test_missing_credentials_stop_the_plan_with_the_words_of_the_documentation(aws: Terraform) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43 + " nobody"
    bare = Terraform(aws.binary, aws.folder, aws.environment | {"AWS_REGION": "eu-central-1", "HOME": str(aws.folder)})
    answer = bare.ask("plan", "-no-color", "-lock=false", f"-var=ssh_public_key={key}")
    assert answer.status == 1
    assert "No valid credential sources found" in answer.text, answer.text[-800:]


@pytest.fixture(scope="module")
def openstack(terraform: str, environment: dict[str, str], workspace: Path) -> Terraform:
    """terraform in the OpenStack module, its provider installed."""
    if not has_provider("terraform-provider-openstack/openstack"):
        pytest.skip("the OpenStack provider is not in the mirror: tests/infra/openstack-provider.sh builds it")
    module = Terraform(terraform, workspace / "modules/openstack", environment)
    module.do("init", "-backend=false")
    return module


def test_the_openstack_module_and_its_example_are_valid(openstack: Terraform, workspace: Path) -> None:
    assert json.loads(openstack.do("validate", "-json"))["valid"]
    example = Terraform(openstack.binary, workspace / "environments/openstack-example", openstack.environment)
    example.do("init", "-backend=false")
    assert json.loads(example.do("validate", "-json"))["valid"]


def test_the_native_tests_of_the_openstack_module_pass(openstack: Terraform) -> None:
    answer = openstack.ask("test", "-no-color")
    assert answer.status == 0, answer.output
    assert re.search(r"Success! [0-9]+ passed, 0 failed", answer.text), answer.text[-500:]


def test_checkov_finds_nothing_without_a_written_reason() -> None:
    command = Path(sys.executable).with_name("checkov")
    if not command.exists():
        cannot_run("checkov is not installed beside this Python: use tests/infra/run.sh")
    done = subprocess.run(
        [
            command,
            "--directory",
            TF,
            "--framework",
            "terraform",
            "--output",
            "json",
            "--compact",
            "--skip-download",
            "--quiet",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    report = json.loads(done.stdout)
    failed = [
        f"{item['check_id']} {item['check_name']}: {item['resource']}" for item in report["results"]["failed_checks"]
    ]
    assert not failed, "\n".join(failed)
    assert report["summary"]["passed"] > 50
    assert report["summary"]["parsing_errors"] == 0


def test_every_exception_from_checkov_says_why() -> None:
    reasons = [
        (path.name, match)
        for path in TF.rglob("*.tf")
        for match in re.findall(r"checkov:skip=(\w+):?(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert reasons
    assert not [(name, match) for name, match in reasons if len(match[1]) < 30]
