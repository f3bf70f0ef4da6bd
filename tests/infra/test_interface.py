"""Both clouds have one interface, every variable is looked after, no file says what it must not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TF = Path(__file__).resolve().parents[2] / "tf"
SAME = ("variables.tf", "variables_data.tf", "outputs.tf", "shape.tf", "inventory.tf")
CLOUDS = ("aws", "openstack")
FOLDERS = sorted(path for path in [*TF.glob("modules/*"), *TF.glob("environments/*")] if path.is_dir())


def blocks(text: str, kind: str) -> dict[str, str]:
    """Top-level blocks `kind "name" { ... }` of a file that `terraform fmt` has laid out, by name."""
    return dict(re.findall(rf'^{kind} "([^"]+)" {{\n(.*?)^}}$', text, re.MULTILINE | re.DOTALL))


def variables_of(folder: Path) -> dict[str, str]:
    """The variables of a module or environment: name to body."""
    return blocks(
        "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("variables*.tf"))), "variable"
    )


def test_there_are_two_clouds_and_an_example_of_each() -> None:
    assert {path.name for path in FOLDERS} == {"aws", "openstack", "aws-example", "openstack-example"}


@pytest.mark.parametrize("name", SAME)
def test_a_file_of_the_interface_is_the_same_in_both_modules(name: str) -> None:
    one, other = (TF / "modules" / cloud / name for cloud in CLOUDS)
    assert one.read_bytes() == other.read_bytes(), f"change one and copy it: cp {one} {other}"


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_module_has_no_variable_or_output_outside_the_interface(cloud: str) -> None:
    for path in (TF / "modules" / cloud).glob("*.tf"):
        text = path.read_text(encoding="utf-8")
        assert path.name in SAME or not blocks(text, "variable"), path
        assert path.name in SAME or not blocks(text, "output"), path


def test_both_environments_show_the_same_outputs_as_the_modules() -> None:
    interface = blocks((TF / "modules/aws/outputs.tf").read_text(encoding="utf-8"), "output")
    for cloud in CLOUDS:
        shown = blocks((TF / f"environments/{cloud}-example/outputs.tf").read_text(encoding="utf-8"), "output")
        assert set(shown) == set(interface)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_variable_has_description_type_validation_and_a_default(folder: Path) -> None:
    variables = variables_of(folder)
    assert variables
    for name, body in variables.items():
        assert re.search(r'^  description = ".{15,}"$', body, re.MULTILINE), f"{name}: no description"
        assert re.search(r"^  type +=", body, re.MULTILINE), f"{name}: no type"
        assert re.search(r"^  default +=", body, re.MULTILINE), f"{name}: no default"
        assert "nullable    = false" in body, f"{name}: null would pass the validation by"
        # A bool can only be true or false: the type is its validation.
        assert "validation {" in body or "= bool\n" in body, f"{name}: no validation"


def test_no_default_opens_anything_or_costs_more_than_one_node() -> None:
    variables = variables_of(TF / "modules/aws")
    defaults = {name: re.findall(r"^  default +=\s*(.+)$", body, re.MULTILINE)[0] for name, body in variables.items()}
    assert {defaults[name] for name in ("admin_cidrs", "web_cidrs", "dicom_cidrs")} == {"[]"}
    assert (defaults["server_count"], defaults["agent_count"], defaults["gpu_agent_count"]) == ("1", "0", "0")


def test_every_validated_variable_has_a_refusal_in_the_native_tests() -> None:
    variables = variables_of(TF / "modules/aws")
    refused = set(
        re.findall(
            r"expect_failures = \[var\.(\w+)\]",
            (TF / "modules/aws/tests/validation.tftest.hcl").read_text(encoding="utf-8"),
        )
    )
    assert {name for name, body in variables.items() if "validation {" in body} == refused


def test_every_variable_and_output_is_in_the_documentation() -> None:
    page = (TF.parent / "docs/infrastructure.md").read_text(encoding="utf-8")
    outputs = blocks((TF / "modules/aws/outputs.tf").read_text(encoding="utf-8"), "output")
    for name in [*variables_of(TF / "modules/aws"), *outputs]:
        assert f"| `{name}` |" in page, f"docs/infrastructure.md doesn't name {name}"


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_holds_data_is_never_destroyed_with_the_rest(cloud: str) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (TF / "modules" / cloud).glob("*.tf"))
    keepers = {
        "aws": ('"aws_ebs_volume" "data"', '"aws_s3_bucket" "data"', '"aws_kms_key" "data"'),
        "openstack": ('"openstack_blockstorage_volume_v3" "data"', '"openstack_objectstorage_container_v1" "data"'),
    }
    for keeper in keepers[cloud]:
        body = re.search(rf"^resource {keeper} {{\n(.*?)^}}$", text, re.MULTILINE | re.DOTALL)
        assert body, keeper
        assert "prevent_destroy = true" in body.group(1), keeper


def test_no_file_names_a_registry_or_holds_a_secret() -> None:
    files = [
        path for path in TF.rglob("*") if path.is_file() and not {".terraform", ".terraform.lock.hcl"} & set(path.parts)
    ]
    assert len(files) > 20
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"registry\.[a-z]+\.io", text), path
        assert not re.search(r"\bAKIA[0-9A-Z]{16}\b|PRIVATE KEY", text), path
        assert not re.search(r'(?i)(password|secret|access_key)[a-z_]*\s*=\s*"[^"]+"', text), path


def test_an_octavia_listener_without_an_allow_list_is_never_made() -> None:
    """Octavia lets everyone in where `allowed_cidrs` is empty, so a port without networks must have no listener."""
    text = (TF / "modules/openstack/entry.tf").read_text(encoding="utf-8")
    assert "if length(kind.cidrs) > 0" in text
    listener = re.search(r'^resource "openstack_lb_listener_v2" "entry" {\n(.*?)^}$', text, re.MULTILINE | re.DOTALL)
    assert listener
    assert re.search(r"allowed_cidrs +=", listener.group(1))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_name_that_a_module_uses_is_defined_in_it(cloud: str) -> None:
    """`terraform validate` says so too, but only where the provider is to be had."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in (TF / "modules" / cloud).glob("*.tf"))
    text = re.sub(r"(?m)#.*$", "", text)
    defined = {f"var.{name}" for name in blocks(text, "variable")}
    for body in re.findall(r"^locals {\n(.*?)^}$", text, re.MULTILINE | re.DOTALL):
        defined |= {f"local.{name}" for name in re.findall(r"^  (\w+) +=", body, re.MULTILINE)}
    defined |= {f"data.{kind}.{name}" for kind, name in re.findall(r'^data "(\w+)" "(\w+)" {', text, re.MULTILINE)}
    defined |= {f"{kind}.{name}" for kind, name in re.findall(r'^resource "(\w+)" "(\w+)" {', text, re.MULTILINE)}
    used = set(re.findall(rf"(?<![\w.])((?:var|local)\.\w+|data\.{cloud}_\w+\.\w+|{cloud}_\w+\.\w+)", text))
    assert len(used) > 60
    assert not used - defined
    assert not {name for name in defined if name.startswith(("var.", "local.", "data."))} - used, (
        "defined and never used"
    )
