"""A site of three machines: its inventory, its playbooks, and what its cluster says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.machines import build, machines
from tests.machines.machines import HOST, STATE, Machine

ROOT = Path(__file__).resolve().parents[2]
SERVER = Machine("hilum-server-1", "172.31.253.10")
AGENT = Machine("hilum-agent-1", "172.31.253.11")
GPU_AGENT = Machine("hilum-gpu-agent-1", "172.31.253.12")
ALL = (SERVER, AGENT, GPU_AGENT)
GROUPS: dict[str, tuple[Machine, ...]] = {"servers": (SERVER,), "agents": (AGENT,), "gpu_agents": (GPU_AGENT,)}
VERSION_A, VERSION_B = "v1.34.4+k3s1", "v1.34.4+k3s2"


@dataclass(frozen=True)
class Played:
    """What a playbook did: how it ended, how long it took, how many changes it says, and its words on one line."""

    status: int
    seconds: float
    changed: int
    text: str


@dataclass
class Site:
    """The machines that run, the checksums of both versions, and the log."""

    log: Path
    groups: dict[str, tuple[Machine, ...]] = field(default_factory=lambda: dict(GROUPS))
    # Of the environment of Ansible, beside this machine's.
    secrets: dict[str, str] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)
    lives: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def all(self) -> list[Machine]:
        """Every machine of the inventory."""
        return [machine for group in self.groups.values() for machine in group]

    @property
    def key(self) -> Path:
        """The administrator's SSH key."""
        return STATE / "key"

    def folder(self, version: str) -> Path:
        """The air-gapped folder of a version."""
        return STATE / version

    def prepare(self) -> None:
        """Key, both versions of the stand-in, Debian's base, network."""
        lost = build.missing()
        if lost:
            raise SystemExit(f"run ../shared/cluster/cluster up once, it brings: {', '.join(lost)}")
        STATE.mkdir(parents=True, exist_ok=True)
        build.etcdutl()
        if not self.key.exists():
            machines.sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key)
        for version in (VERSION_A, VERSION_B):
            self.sums[version] = build.standin(self.folder(version) / "k3s", version)
            build.images(self.folder(version) / "k3s-airgap-images-amd64.tar")
        machines.base()
        machines.network()

    def fresh(self, machine: Machine) -> None:
        """A new machine under this name, switched on."""
        if machine.name in self.lives:
            self.off(machine)
        machines.make(machine, self.key.with_suffix(".pub").read_text(encoding="utf-8"))
        self.lives[machine.name] = machines.boot(machine)
        machines.answers(machine, self.key)
        (STATE / "known_hosts").unlink(missing_ok=True)
        # A way to the machine that had this address would be tried until it is found dead.
        shutil.rmtree(STATE / "cp", ignore_errors=True)

    def off(self, machine: Machine) -> None:
        """Switch one off in order."""
        machines.halt(self.lives.pop(machine.name))

    def resume(self) -> None:
        """Switch on the machines that an earlier run left, as after a power cut."""
        for machine in self.all:
            self.lives[machine.name] = machines.boot(machine)
        for machine in self.all:
            machines.answers(machine, self.key)
        end = time.monotonic() + 120
        while self.on(SERVER, "ls /usr/local/bin/k3s", check=False) and time.monotonic() < end:
            states = self.kubectl("get nodes --no-headers", check=False).split("\n")
            if len(states) == len(self.all) and all(" Ready" in state for state in states):
                break
            time.sleep(1)

    def close(self) -> None:
        """Switch all off and take the network away."""
        for life in self.lives.values():
            machines.halt(life)
        for machine in self.all:
            machines.keep_packages(machine)
        machines.no_network()

    def inventory(self, **changes: Any) -> Path:
        """The inventory as Terraform writes it, with what a person adds."""
        version = changes.get("k3s_version", VERSION_A)
        given = {
            "cluster_name": "proof",
            "ansible_user": "debian",
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={STATE}/known_hosts",
            "network_cidr": "172.31.253.8/29",
            "api_address": SERVER.address,
            "base_admin_cidrs": [f"{HOST}/32"],
            "k3s_version": version,
            "k3s_sha256": self.sums.get(version, ""),
            "k3s_airgap_dir": str(self.folder(version)),
            "preflight_free_gb": 4,
        }
        members: dict[str, Any] = {
            name: {"hosts": {item.name: {"ansible_host": item.address, "zone": "here"} for item in items}}
            for name, items in self.groups.items()
        }
        tree = {
            "all": {
                "vars": given | changes,
                "children": members | {"cluster": {"children": dict.fromkeys(self.groups)}},
            }
        }
        path = STATE / "inventory.json"
        path.write_text(json.dumps(tree, indent=1), encoding="utf-8")
        return path

    def command(self, playbook: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """ansible-playbook of this Python, with the inventory and none of this machine's own settings."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        beside = Path(sys.executable).with_name("ansible-playbook")
        settings = {"ANSIBLE_INVENTORY": str(STATE / "inventory.json"), "ANSIBLE_NOCOLOR": "1"}
        settings["ANSIBLE_SSH_CONTROL_PATH_DIR"] = str(STATE / "cp")
        # With the time of each line, which the output has not: what took how long.
        settings["ANSIBLE_LOG_PATH"] = str(STATE / "ansible.log")
        return [str(beside), playbook, *arguments], kept | settings | self.secrets

    def play(self, playbook: str, *arguments: str, **changes: Any) -> Played:
        """Run a playbook to its end."""
        self.inventory(**changes)
        command, environment = self.command(playbook, *arguments)
        began = time.monotonic()
        done = subprocess.run(
            command,
            cwd=ROOT / "ansible",
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - began
        with self.log.open("a", encoding="utf-8") as out:
            out.write(
                f"\n$ ansible-playbook {playbook} {' '.join(arguments)}\n{done.stdout}{done.stderr}({seconds:.0f} s)\n"
            )
        changed = sum(int(number) for number in re.findall(r"changed=(\d+)", done.stdout))
        return Played(done.returncode, seconds, changed, " ".join((done.stdout + done.stderr).split()))

    def on(self, machine: Machine, command: str, check: bool = True) -> str:
        """What a command on a machine prints, as root."""
        return machines.ssh(machine, self.key, command, check).stdout.strip()

    def kubectl(self, arguments: str, check: bool = True) -> str:
        """What kubectl on the server prints."""
        return self.on(SERVER, f"k3s kubectl {arguments}", check)

    def nodes(self) -> dict[str, tuple[str, bool, bool]]:
        """By name: version, whether ready, whether it takes pods."""
        found = json.loads(self.kubectl("get nodes -o json"))["items"]
        return {
            node["metadata"]["name"]: (
                node["status"]["nodeInfo"]["kubeletVersion"],
                any(item["type"] == "Ready" and item["status"] == "True" for item in node["status"]["conditions"]),
                not node["spec"].get("unschedulable", False),
            )
            for node in found
        }

    def ready(self, version: str, seconds: int = 120) -> None:
        """Wait until every node is ready with a version and takes pods."""
        end, right = time.monotonic() + seconds, {machine.name: (version, True, True) for machine in self.all}
        while self.nodes() != right:
            assert time.monotonic() < end, self.nodes()
            time.sleep(1)

    @contextmanager
    def watched(self) -> Iterator[list[int]]:
        """How many nodes were away at once (not ready, or drained), and the looks that the API answered."""
        worst, over = [0, 0], threading.Event()

        def look() -> None:
            while not over.wait(0.5):
                done = machines.ssh(
                    SERVER, self.key, "k3s kubectl get nodes --no-headers --request-timeout=3s", check=False
                )
                states = [line.split()[1] for line in done.stdout.splitlines() if line]
                if states:
                    worst[0] = max(worst[0], sum(state != "Ready" for state in states))
                    worst[1] += 1

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield worst
        finally:
            over.set()
            thread.join()
