"""What can be known of ansible/ without a machine: its style, its settings, and what it refuses before it asks anyone.

The machines are tests/machines (`make test-machines`).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ANSIBLE = ROOT / "ansible"
ROLES = sorted(path for path in (ANSIBLE / "roles").iterdir())
PLAYBOOKS = sorted(path for path in ANSIBLE.glob("*.yml") if not path.name.startswith("."))
TOOLS = Path(sys.executable).parent
# Of no file: what a test gives where a checksum must look like one.
CHECKSUM = "0" * 64


def run(*command: str, inventory: Path) -> subprocess.CompletedProcess[str]:
    """A command in ansible/ with an inventory, none of this machine's settings; both streams in stdout."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "HILUM_"))}
    return subprocess.run(
        [str(TOOLS / command[0]), *command[1:]],
        cwd=ANSIBLE,
        env=kept
        | {"ANSIBLE_INVENTORY": str(inventory), "PATH": f"{TOOLS}:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )


def specs(role: Path) -> dict[str, dict[str, Any]]:
    """All settings that a role declares, from all its entry points."""
    text = (role / "meta/argument_specs.yml").read_text(encoding="utf-8")
    points = yaml.safe_load(text)["argument_specs"]
    assert all(len(point["short_description"]) > 15 for point in points.values())
    return {name: option for point in points.values() for name, option in point.get("options", {}).items()}


def defaults(role: Path) -> dict[str, Any]:
    """The defaults of a role."""
    return dict(yaml.safe_load((role / "defaults/main.yml").read_text(encoding="utf-8")) or {})


def test_ansible_lint_finds_nothing_in_its_strictest_profile() -> None:
    done = run("ansible-lint", "--nocolor", inventory=ANSIBLE / "inventories/example.yaml")
    assert done.returncode == 0, done.stdout
    assert "Profile 'production' was required, and it passed" in done.stdout


@pytest.mark.parametrize("inventory", sorted((ANSIBLE / "inventories").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_playbook_is_read_with_every_example(inventory: Path) -> None:
    done = run("ansible-playbook", "--syntax-check", *(path.name for path in PLAYBOOKS), inventory=inventory)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_every_setting_has_a_description_a_type_and_its_true_default(role: Path) -> None:
    declared, values = specs(role), defaults(role)
    assert not set(values) - set(declared), "settings that nobody described"
    for name, option in declared.items():
        assert len(option.get("description", "")) > 15, f"{name}: no description"
        assert option.get("type"), f"{name}: no type"
        assert option.get("required") or "default" in option, f"{name}: neither a default nor required"
        value = values.get(name)
        if (
            name in values
            and not option.get("required")
            and "{{" not in str(value)
            and option["default"] not in ([], {})
        ):
            assert option["default"] == value, f"{name}: the default is {value}"


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_a_role_has_settings_of_its_own_name_only(role: Path) -> None:
    assert all(name.startswith(f"{role.name}_") for name in defaults(role))


def test_every_role_and_every_setting_is_documented() -> None:
    page = (ROOT / "docs/ansible.md").read_text(encoding="utf-8")
    for role in ROLES:
        assert f"| `{role.name}` |" in page, role.name
    for name in (name for role in ROLES for name in defaults(role)):
        assert f"`{name}`" in page, f"docs/ansible.md doesn't name {name}"


def test_no_role_stands_unused() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in [*PLAYBOOKS, *ANSIBLE.rglob("roles/*/tasks/*.yml")])
    for role in ROLES:
        assert re.search(rf"(role|name): {role.name}$", text, re.MULTILINE), role.name


def test_the_environment_of_the_tests_holds_the_ansible_that_users_get() -> None:
    def pin(lock: str) -> list[str]:
        text = (ROOT / f"requirements/{lock}.txt").read_text(encoding="utf-8")
        return re.findall(r"^ansible-core==.+$", text, re.MULTILINE)

    assert pin("ansible") == pin("infra") != []


def inventory(folder: Path, **changes: Any) -> Path:
    """An inventory of one server and one agent that nobody answers for, with changes to the variables of all."""
    hosts = changes.pop("hosts", {"server-1": "192.0.2.10", "agent-1": "192.0.2.11"})
    named = {name: {"ansible_host": address} for name, address in hosts.items()}
    tree = {
        "all": {
            "vars": {"cluster_name": "test", "k3s_version": "v1.34.1+k3s1", "k3s_sha256": CHECKSUM} | changes,
            "children": {
                "servers": {"hosts": {name: value for name, value in named.items() if "server" in name}},
                "agents": {"hosts": {name: value for name, value in named.items() if "server" not in name}},
                "gpu_agents": {},
                "cluster": {"children": {"servers": {}, "agents": {}, "gpu_agents": {}}},
            },
        }
    }
    path = folder / "inventory.yaml"
    path.write_text(json.dumps(tree), encoding="utf-8")
    return path


def airgap(folder: Path) -> dict[str, str]:
    """A folder with a file called k3s, and its true checksum."""
    from hashlib import sha256

    (folder / "k3s").write_bytes(b"not K3s")
    return {"k3s_airgap_dir": str(folder), "k3s_sha256": sha256(b"not K3s").hexdigest()}


REFUSALS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("two servers", {"hosts": {"server-1": "192.0.2.10", "server-2": "192.0.2.11"}}, ["has 2 servers", "1, 3 or 5"]),
    ("one address twice", {"hosts": {"server-1": "192.0.2.10", "agent-1": "192.0.2.10"}}, ["one and the same address"]),
    ("a bad name", {"hosts": {"server_1": "192.0.2.10"}}, ["`server_1` can't be a node's name"]),
    ("a version of nobody", {"k3s_version": "1.34"}, ["`1.34`, which is no release of K3s"]),
    ("no checksum", {"k3s_sha256": ""}, ["k3s_sha256 is missing", "sha256sum-amd64.txt"]),
    ("no binary", {"k3s_airgap_dir": "/nonexistent"}, ["/nonexistent/k3s is not there"]),
    ("a mirror that is down", {"k3s_download_url": "http://127.0.0.1:1"}, ["does not answer", "set k3s_airgap_dir"]),
]


@pytest.mark.parametrize(("changes", "words"), [pytest.param(c, w, id=name) for name, c, w in REFUSALS])
def test_a_bad_inventory_is_refused_with_reason_and_remedy_before_a_machine_is_asked(
    changes: dict[str, Any], words: list[str], tmp_path: Path
) -> None:
    done = run("ansible-playbook", "site.yml", inventory=inventory(tmp_path, **changes))
    said = " ".join(done.stdout.split())
    assert done.returncode != 0
    for word in words:
        assert word in said, said[-2000:]
    assert "then run this again" in said.lower()
    assert "Wait for an answer by SSH" not in said


def test_a_wrong_checksum_is_refused_with_both_sums(tmp_path: Path) -> None:
    right = airgap(tmp_path)
    done = run("ansible-playbook", "site.yml", inventory=inventory(tmp_path, **right | {"k3s_sha256": CHECKSUM}))
    said = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert f"has the checksum {right['k3s_sha256']}, not {CHECKSUM}" in said


def test_a_name_that_stands_twice_in_the_inventory_is_an_error_not_the_last_one(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(
        "all:\n  children:\n    servers:\n      hosts:\n"
        "        server-1: {ansible_host: 192.0.2.10}\n        server-1: {ansible_host: 192.0.2.11}\n",
        encoding="utf-8",
    )
    done = run("ansible-playbook", "site.yml", inventory=path)
    assert done.returncode != 0
    assert "duplicate" in done.stdout.lower()


def test_a_missing_ssh_key_and_a_machine_that_is_off_are_told_apart(tmp_path: Path) -> None:
    right = airgap(tmp_path)
    hosts = {"server-1": "127.0.0.1"}
    lost = inventory(tmp_path, hosts=hosts, ansible_ssh_private_key_file=str(tmp_path / "lost"), **right)
    done = run("ansible-playbook", "site.yml", inventory=lost)
    assert done.returncode != 0
    assert "is not on this machine. Make it (ssh-keygen" in " ".join(done.stdout.split())
    # Port 1: nobody listens, as on a machine that is off.
    off = inventory(tmp_path, hosts=hosts, ansible_port=1, preflight_connect_seconds=3, **right)
    done = run("ansible-playbook", "site.yml", inventory=off)
    assert done.returncode != 0
    assert "server-1 (127.0.0.1) can't be reached: no answer by SSH. Is it on" in " ".join(done.stdout.split())
