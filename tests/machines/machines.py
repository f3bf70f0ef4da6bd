"""Machines of Debian by systemd-nspawn: own files, processes, network, control groups; one kernel for all."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

STATE = Path(os.environ.get("HILUM_MACHINES", Path.home() / ".cache/hilum-machines"))
BRIDGE, NETWORK, HOST = "hilum0", "172.31.253.0/24", "172.31.253.1"
# The last two are where systemd keeps its own units: two machines in one place remove each other's.
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd", "unified")
CGROUPS = Path("/sys/fs/cgroup")
# Packages that an earlier machine fetched: what is measured is not Debian's mirror.
PACKAGES_KEPT, PACKAGES_HERE = STATE / "packages", "var/cache/apt/archives"
# What a cloud's Debian image has; K3s brings its own iptables, the stand-in does not.
PACKAGES = (
    "systemd,systemd-sysv,dbus,openssh-server,python3,python3-apt,sudo,iproute2,ca-certificates,openssl,iptables,kmod,"
    "procps"
)


def sh(*command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command; its words when it must not fail and does."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: {done.stderr or done.stdout}")
    return done


@dataclass(frozen=True)
class Machine:
    """One machine: its name, its address, and block devices of this machine that it has as its own."""

    name: str
    address: str
    devices: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        """Its files, as the host sees them."""
        return STATE / "machines" / self.name


def base() -> Path:
    """A bare Debian 12, made once by debootstrap (needs Debian's mirror)."""
    folder = STATE / "base"
    if not (folder / "etc/debian_version").exists():
        STATE.mkdir(parents=True, exist_ok=True)
        sh("debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", folder)
    return folder


def network() -> None:
    """A bridge with the host on it, and the way out to Debian's mirror."""
    if sh("ip", "link", "show", BRIDGE, check=False).returncode:
        sh("ip", "link", "add", BRIDGE, "type", "bridge")
        sh("ip", "addr", "add", f"{HOST}/24", "dev", BRIDGE)
        sh("ip", "link", "set", BRIDGE, "up")
    rule = ("POSTROUTING", "-s", NETWORK, "!", "-d", NETWORK, "-j", "MASQUERADE")
    if sh("iptables", "-w", "-t", "nat", "-C", *rule, check=False).returncode:
        sh("iptables", "-w", "-t", "nat", "-A", *rule)


def keep_packages(machine: Machine) -> None:
    """Keep what it fetched for the next one."""
    PACKAGES_KEPT.mkdir(exist_ok=True)
    for package in (machine.root / PACKAGES_HERE).glob("*.deb"):
        shutil.copy(package, PACKAGES_KEPT)


def no_network() -> None:
    """Take away what network() made."""
    sh(
        "iptables",
        "-w",
        "-t",
        "nat",
        "-D",
        "POSTROUTING",
        "-s",
        NETWORK,
        "!",
        "-d",
        NETWORK,
        "-j",
        "MASQUERADE",
        check=False,
    )
    sh("ip", "link", "delete", BRIDGE, check=False)


def make(machine: Machine, public_key: str) -> None:
    """A fresh machine: the base, an address, a user who may come by key and become root."""
    root = machine.root
    if root.exists():
        shutil.rmtree(root)
    root.parent.mkdir(parents=True, exist_ok=True)
    sh("cp", "-a", "--reflink=auto", base(), root)
    for package in PACKAGES_KEPT.glob("*.deb"):
        shutil.copy(package, root / PACKAGES_HERE)
    (root / "etc/machine-id").write_text("", encoding="utf-8")
    (root / "var/lib/dbus/machine-id").unlink(missing_ok=True)
    (root / "etc/hostname").write_text("debian\n", encoding="utf-8")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    files = {
        "etc/systemd/network/10-host0.network": "[Match]\nName=host0\n[Network]\n"
        f"Address={machine.address}/24\nGateway={HOST}\n",
        "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 debian\n",
        "etc/sudoers.d/debian": "debian ALL=(ALL:ALL) NOPASSWD: ALL\n",
        # A container gets its control groups read-only; a machine's kubelet has them for itself.
        "etc/systemd/system/own-cgroups.service": (
            "[Unit]\nDefaultDependencies=no\nBefore=sysinit.target\n[Service]\nType=oneshot\n"
            "ExecStart=/bin/sh -c 'for c in /sys/fs/cgroup/*; do mount -o remount,bind,rw $c || true; done'\n"
            "[Install]\nWantedBy=sysinit.target\n"
        ),
    }
    for path, text in files.items():
        (root / path).write_text(text, encoding="utf-8")
    (root / "etc/sudoers.d/debian").chmod(0o440)
    sh("chroot", root, "useradd", "--create-home", "--shell", "/bin/bash", "debian")
    sh("chroot", root, "systemctl", "enable", "systemd-networkd", "ssh", "own-cgroups")
    keys = root / "home/debian/.ssh"
    keys.mkdir(mode=0o700)
    (keys / "authorized_keys").write_text(public_key, encoding="utf-8")
    sh("chroot", root, "chown", "-R", "debian:debian", "/home/debian/.ssh")


def _own_cgroups(life: str) -> None:
    """Put this process into control groups of its own, the machine's root: its kubelet must not meet another's."""
    for controller in CONTROLLERS:
        group = CGROUPS / controller / "hilum-machines" / life
        for folder in (group.parent, group):
            folder.mkdir(exist_ok=True)
            if controller == "cpuset":
                for file in ("cpuset.cpus", "cpuset.mems"):
                    (folder / file).write_text((folder.parent / file).read_text(encoding="utf-8"), encoding="utf-8")
                (folder / "cgroup.clone_children").write_text("1", encoding="utf-8")
        (group / "cgroup.procs").write_text(str(os.getpid()), encoding="utf-8")


def _forget_cgroups(name: str) -> None:
    """Remove the groups that earlier lives of the machine left; the kernel may still hold one of them for a while."""
    for controller in CONTROLLERS:
        for group in (CGROUPS / controller / "hilum-machines").glob(f"{name}*"):
            for folder in [*sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True), group]:
                with suppress(OSError):
                    folder.rmdir()


def boot(machine: Machine) -> subprocess.Popen[bytes]:
    """Start it; returns the process that is its life."""
    _forget_cgroups(machine.name)
    own = f"{machine.name}-{time.monotonic_ns()}"
    log = (STATE / f"{machine.name}.console").open("wb")
    return subprocess.Popen(
        [
            "systemd-nspawn",
            "--quiet",
            "--boot",
            "--register=no",
            "--keep-unit",
            f"--machine={machine.name}",
            f"--directory={machine.root}",
            f"--network-bridge={BRIDGE}",
            "--bind=/dev/kmsg",
            *(f"--bind={device}" for device in machine.devices),
            "--capability=all",
            "--system-call-filter=add_key keyctl bpf",
            "--console=pipe",
            "--resolv-conf=off",
            "--link-journal=no",
        ],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=lambda: _own_cgroups(own),  # noqa: PLW1509  no thread holds a lock yet
    )


def unplug(life: subprocess.Popen[bytes]) -> None:
    """Switch it off as a power cut does: its first process with it, which outlives nspawn else."""
    for pid in [*_below(life.pid), life.pid]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    life.wait(30)


def _below(pid: int) -> list[int]:
    """What it started on this machine, down to the machine's first process."""
    try:
        started = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]
    except OSError:
        return []
    return [*started, *(further for one in started for further in _below(one))]


def halt(life: subprocess.Popen[bytes]) -> None:
    """Switch it off in order: nspawn hands SIGTERM on as a request to power off."""
    life.send_signal(signal.SIGTERM)
    try:
        life.wait(60)
    except subprocess.TimeoutExpired:
        unplug(life)


def answers(machine: Machine, key: Path, seconds: int = 60) -> None:
    """Wait for its SSH."""
    end = time.monotonic() + seconds
    while ssh(machine, key, "true", check=False).returncode:
        if time.monotonic() > end:
            raise SystemExit(f"{machine.name} doesn't answer by SSH: {STATE / machine.name}.console")
        time.sleep(0.5)


def ssh(machine: Machine, key: Path, command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """A command on the machine as root."""
    return sh(
        "ssh",
        "-i",
        key,
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "LogLevel=ERROR",
        "-o",
        "ConnectTimeout=5",
        "-o",
        "BatchMode=yes",
        f"debian@{machine.address}",
        f"sudo sh -c {_quoted(command)}",
        check=check,
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
