"""Kubernetes's parts as children of this process: when one ends, all end, and systemd starts K3s again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from files import binaries

Children = dict[str, "subprocess.Popen[bytes]"]


def say(text: str) -> None:
    """One line for the journal."""
    print(f"k3s: {text}", file=sys.stderr, flush=True)


def start(children: Children, name: str, *command: str | Path) -> None:
    """Start one part; the journal gets what it says."""
    # systemd ends this process alone (KillMode=process), and may do so before watch() listens for it.
    signal.signal(signal.SIGTERM, lambda *_: end_early(children))
    log = Path("/var/log/k3s")
    log.mkdir(exist_ok=True)
    with (log / f"{name}.log").open("ab") as out:
        path = f"{binaries()}:/usr/sbin:/usr/bin:/sbin:/bin"
        own = {key: value for key, value in os.environ.items() if key != "NOTIFY_SOCKET"}
        children[name] = subprocess.Popen(
            [str(part) for part in command], stdout=out, stderr=out, stdin=subprocess.DEVNULL, env={**own, "PATH": path}
        )


def wait(what: str, ready: Callable[[], bool], children: Children, seconds: int = 180) -> None:
    """Wait until something is ready; end this process where a part has ended or the time is over."""
    end = time.monotonic() + seconds
    while True:
        try:
            if ready():
                return
        except Exception as reason:  # not up yet: asked again until the time is over
            last = str(reason)
        else:
            last = "not ready"
        watch_once(children)
        if time.monotonic() > end:
            stop(children)
            sys.exit(f"k3s: {what} was not ready after {seconds} s: {last}")
        time.sleep(0.5)


def stop(children: Children) -> None:
    """End the parts, the last started first; containers live on."""
    for child in reversed(list(children.values())):
        child.terminate()
    for child in reversed(list(children.values())):
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()


def end_early(children: Children) -> None:
    """Asked to end while it starts."""
    stop(children)
    sys.exit("k3s: ended while starting")


def notify() -> None:
    """Tell systemd that K3s is up (Type=notify)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.connect("\0" + address[1:] if address.startswith("@") else address)
            out.sendall(b"READY=1")


def watch_once(children: Children) -> None:
    """End this process where a part has ended."""
    for name, child in children.items():
        if child.poll() is not None:
            stop(children)
            sys.exit(f"k3s: {name} ended with {child.returncode}: tail /var/log/k3s/{name}.log")


def watch(children: Children, every: list[Callable[[], None]]) -> None:
    """Stay until a part ends or systemd says so; meanwhile call each of `every` again and again."""
    asked = []
    signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
    while not asked:
        for call in every:
            try:
                call()
            except Exception as reason:  # the API may be away for a while
                say(f"{getattr(call, '__name__', 'a task')}: {reason}")
        for _ in range(10):
            dead = [name for name, child in children.items() if child.poll() is not None]
            if dead and not asked:
                stop(children)
                sys.exit(f"k3s: {dead[0]} ended: tail /var/log/k3s/{dead[0]}.log")
            if asked:
                break
            time.sleep(0.5)
    stop(children)
