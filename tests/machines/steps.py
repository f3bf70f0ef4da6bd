"""What is proven on the machines, one function a step, which says what it found; an assertion stops the run."""

from __future__ import annotations

import http.server
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.machines.machines import STATE, sh
from tests.machines.site import AGENT, ALL, GPU_AGENT, ROOT, SERVER, VERSION_A, VERSION_B, Site

DEPLOYMENT = (
    "k3s kubectl create deployment waiting --image=docker.io/rancher/mirrored-pause:3.6 --replicas=4 -n default "
    "--dry-run=client -o yaml | k3s kubectl apply -f -"
)
WRONG_DATE = '#!/bin/sh\\nexec /bin/date -d "1 hour ago" "$@"\\n'
READ_ETCD = (
    'import base64, json, urllib.request as u; key = base64.b64encode(b"/registry/secrets/default/probe").decode(); '
    'asked = u.Request("http://127.0.0.1:2379/v3/kv/range", json.dumps({"key": key}).encode()); '
    'print(base64.b64decode(json.load(u.urlopen(asked))["kvs"][0]["value"]))'
)


def three_bare_machines_start(site: Site) -> str:
    """Debian with systemd and SSH, nothing else."""
    for machine in ALL:
        site.fresh(machine)
    states = {site.on(machine, "systemctl is-system-running --wait", check=False) for machine in ALL}
    assert states == {"running"}, states
    # Else its kubelet would clean up another one's pods.
    assert all(site.on(machine, "ls -d /sys/fs/cgroup/memory/*/ || true", check=False) == "" for machine in ALL)
    size = sh("du", "-sm", SERVER.root).stdout.split()[0]
    return f"{site.on(SERVER, 'systemd-detect-virt', check=False)}, {size} MB each"


def refused(site: Site, words: str, **changes: object) -> None:
    """site.yml stops with these words and a remedy, before anything is changed."""
    played = site.play("site.yml", **changes)
    assert played.status != 0
    assert words in played.text, played.text[-1500:]
    assert "then run this again" in played.text.lower(), words
    assert played.changed == 0, words


@contextmanager
def no_releases() -> Iterator[str]:
    """A mirror of K3s's releases that has none."""

    class Nothing(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nothing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def what_is_wrong_in_the_inventory_stops_early_with_reason_and_remedy(site: Site) -> str:
    """What the machines can't be blamed for; none of them is asked anything that would change it."""
    faults: tuple[tuple[str, dict[str, object]], ...] = (
        (f"has the checksum {site.sums[VERSION_A]}, not {'0' * 64}", {"k3s_sha256": "0" * 64}),
        ("`v1.34`, which is no release of K3s", {"k3s_version": "v1.34", "k3s_sha256": "0" * 64}),
        ("/nowhere is not on this machine. Make it (ssh-keygen", {"ansible_ssh_private_key_file": "/nowhere"}),
    )
    for words, changes in faults:
        refused(site, words, **changes)
    with no_releases() as address:
        later = {"k3s_airgap_dir": "", "k3s_download_url": address}
        refused(site, f"There is no release {VERSION_A} at {address}", **later)
    return f"{len(faults) + 1} faults"


def what_is_wrong_on_a_machine_stops_early_with_reason_and_remedy(site: Site) -> str:
    """Each fault is put right afterwards; nothing was changed on any machine."""
    # The machines share this machine's clock, so the wrong one is a `date` in front of the right one.
    site.on(AGENT, f"printf '{WRONG_DATE}' > /usr/local/bin/date; chmod 755 /usr/local/bin/date")
    refused(site, "The clock of hilum-agent-1 differs by 36")
    site.on(AGENT, "rm /usr/local/bin/date")

    refused(site, "MiB free and needs", preflight_free_gb=100_000)
    refused(site, "MiB of memory and needs", preflight_memory_mb=10_000_000)
    site.on(
        GPU_AGENT,
        "cp /etc/machine-id /root/right-id; echo " + site.on(AGENT, "cat /etc/machine-id") + " > /etc/machine-id",
    )
    refused(site, "are one machine or a copy of it")
    site.on(GPU_AGENT, "cp /root/right-id /etc/machine-id")
    site.on(AGENT, "systemd-run --unit=squatter --quiet python3 -m http.server 10250; sleep 1")
    refused(site, "Another program listens on K3s's ports of hilum-agent-1")
    site.on(AGENT, "systemctl stop squatter")
    site.on(AGENT, "systemctl stop ssh.socket ssh; systemd-run --quiet --on-active=25 systemctl start ssh")
    refused(site, "hilum-agent-1 (172.31.253.11) can't be reached: no answer by SSH", preflight_connect_seconds=5)
    time.sleep(20)
    refused(site, "has no volume /dev/nothing", data_device="/dev/nothing")
    return "7 faults"


def a_check_on_fresh_machines_changes_nothing(site: Site) -> str:
    """`--check` to the end, though nothing that later steps need is there yet."""
    played = site.play("site.yml", "--check")
    assert played.status == 0, played.text[-2000:]
    assert site.on(SERVER, "ls /usr/local/bin/k3s /etc/nftables.conf.d /etc/rancher", check=False) == ""
    return f"{played.changed} changes announced, none made, {played.seconds:.0f} s"


def a_first_run_is_killed_half_way(site: Site) -> str:
    """As by a closed laptop, while the server is starting."""
    site.inventory()
    command, environment = site.command("site.yml")
    with (STATE / "killed.log").open("w") as out:
        run = subprocess.Popen(
            command, cwd=ROOT / "ansible", env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
        end = time.monotonic() + 400
        while "Copy the binary" not in (STATE / "killed.log").read_text(encoding="utf-8"):
            assert run.poll() is None and time.monotonic() < end, (STATE / "killed.log").read_text(encoding="utf-8")[
                -2000:
            ]
            time.sleep(0.5)
        run.send_signal(signal.SIGKILL)
        run.wait()
    return "killed while K3s's binary was copied"


def from_there_to_a_cluster_of_three(site: Site) -> str:
    """The same command goes on and ends."""
    played = site.play("site.yml")
    assert played.status == 0, played.text[-3000:]
    assert site.nodes() == {machine.name: (VERSION_A, True, True) for machine in ALL}
    assert "hilum-gpu-agent-1 is in gpu_agents and has no NVIDIA card" in played.text
    assert "driver and container toolkit are not applicable, and skipped" in played.text
    return f"3 nodes ready, {played.changed} changes, {played.seconds:.0f} s"


def from_bare_to_ready(site: Site) -> str:
    """All three made anew, one run from beginning to end."""
    for machine in ALL:
        site.fresh(machine)
    played = site.play("site.yml")
    assert played.status == 0, played.text[-3000:]
    assert site.nodes() == {machine.name: (VERSION_A, True, True) for machine in ALL}
    return f"3 nodes ready, {played.changed} changes, {played.seconds:.0f} s"


def a_second_run_changes_nothing(site: Site) -> str:
    """Zero changes on all machines."""
    played = site.play("site.yml")
    assert played.status == 0, played.text[-3000:]
    assert played.changed == 0, played.text
    return f"0 changes, {played.seconds:.0f} s"


def the_cluster_is_hardened(site: Site) -> str:
    """What the settings promise, asked of the running parts."""
    site.kubectl("-n default create secret generic probe --from-literal=word=plainly")
    raw = site.on(SERVER, f"python3 -c '{READ_ETCD}'")
    assert "k8s:enc:aescbc" in raw, raw[:200]
    assert "plainly" not in raw
    log = site.on(SERVER, "cat /var/lib/rancher/k3s/server/logs/audit.log")
    assert '"resource":"secrets"' in log
    assert "plainly" not in log
    site.kubectl("create namespace says-nothing")
    said = site.on(SERVER, "k3s kubectl -n says-nothing run p --image=x --privileged 2>&1 || true", check=False)
    assert "violates PodSecurity" in said, said
    said = site.on(SERVER, "k3s kubectl -n platform run p --image=x 2>&1 || true", check=False)
    assert 'violates PodSecurity "restricted' in said, said
    for machine in ALL:
        # From a host outside the machines' network that may use SSH, and the API of servers.
        assert sh("timeout", "3", "bash", "-c", f"</dev/tcp/{machine.address}/10250", check=False).returncode
        assert not sh("timeout", "3", "bash", "-c", f"</dev/tcp/{machine.address}/22", check=False).returncode
        assert "permitrootlogin no" in site.on(machine, "sshd -T")
        assert site.on(machine, "stat -c %a /etc/rancher/k3s/config.yaml") == "600"
    assert not site.on(AGENT, "cat /etc/rancher/k3s/token").count("::server:")
    return "Secrets encrypted in etcd, audit without contents, Pod Security, firewall, SSH, agents' own token"


def an_upgrade_takes_one_node_at_a_time(site: Site) -> str:
    """From A to B with four pods running; pods leave each node first."""
    site.on(SERVER, DEPLOYMENT)
    site.kubectl("-n default rollout status deployment/waiting --timeout=120s")
    with site.watched() as worst:
        played = site.play("upgrade.yml", k3s_version=VERSION_B)
    assert played.status == 0, played.text[-3000:]
    assert site.nodes() == {machine.name: (VERSION_B, True, True) for machine in ALL}
    assert worst[0] <= 1, f"{worst[0]} nodes were away at once"
    assert worst[1] > 10
    site.kubectl("-n default rollout status deployment/waiting --timeout=120s")
    assert "before-upgrade" in site.on(SERVER, "ls /var/lib/rancher/k3s/server/db/snapshots")
    return f"at most {worst[0]} node away in {worst[1]} looks, snapshot before, {played.seconds:.0f} s"


def another_version_by_the_wrong_playbook_and_back_are_refused(site: Site) -> str:
    """site.yml doesn't restart all at once; nothing goes back."""
    played = site.play("site.yml", k3s_version=VERSION_A)
    assert played.status != 0 and "upgrade.yml goes node by node" in played.text, played.text[-1500:]
    played = site.play("upgrade.yml", k3s_version=VERSION_A)
    assert played.status != 0 and "never back" in played.text, played.text[-1500:]
    assert site.nodes() == {machine.name: (VERSION_B, True, True) for machine in ALL}
    return "both"


def a_second_machine_of_one_name_is_refused_until_the_first_is_replaced(site: Site) -> str:
    """A new agent under the old name: no; after replace.yml: yes."""
    site.fresh(AGENT)
    played = site.play("site.yml", k3s_version=VERSION_B, k3s_ready_seconds=20)
    said = site.on(AGENT, "journalctl -u k3s-agent --no-pager | tail -3", check=False)
    assert "duplicate hostname hilum-agent-1" in said, said
    refusal = "refused" if played.status else "left out"
    site.fresh(AGENT)
    began = time.monotonic()
    played = site.play(
        "replace.yml", "-e", "replace_node=hilum-agent-1", "-e", "replace_drain_seconds=20", k3s_version=VERSION_B
    )
    assert played.status == 0, played.text[-3000:]
    played = site.play("site.yml", k3s_version=VERSION_B)
    assert played.status == 0, played.text[-3000:]
    assert site.nodes() == {machine.name: (VERSION_B, True, True) for machine in ALL}
    return f"{refusal}; replaced in {time.monotonic() - began:.0f} s"


def etcd_is_lost_and_comes_back_from_a_snapshot(site: Site) -> str:
    """The drill: a snapshot, its state, a loss; then restore.yml, and everything that the snapshot held."""
    site.kubectl("-n default create configmap drill --from-literal=word=in-the-snapshot")
    played = site.play("backup.yml", k3s_version=VERSION_B)
    assert played.status == 0, played.text[-3000:]
    snapshot = site.on(SERVER, "ls -t /var/lib/rancher/k3s/server/db/snapshots/on-demand-* | head -1")
    site.kubectl("-n default delete configmap drill")
    site.on(SERVER, "systemctl stop k3s; rm -rf /var/lib/rancher/k3s/server/db/etcd")
    began = time.monotonic()
    wrong = ("-e", "restore_confirm=proof", "-e", "restore_snapshot=/nowhere")
    played = site.play("restore.yml", *wrong, k3s_version=VERSION_B)
    assert played.status != 0
    assert "/nowhere is not on hilum-server-1: copy it there, then run this again" in played.text, played.text[-1500:]
    right = ("-e", "restore_confirm=proof", "-e", f"restore_snapshot={snapshot}")
    began = time.monotonic()
    played = site.play("restore.yml", *right, k3s_version=VERSION_B)
    assert played.status == 0, played.text[-3000:]
    assert site.kubectl("-n default get configmap drill -o jsonpath={.data.word}") == "in-the-snapshot"
    site.ready(VERSION_B)
    size = int(site.on(SERVER, f"stat -c %s {snapshot}")) // 1024
    return f"{size} KiB, its objects and 3 ready nodes after {time.monotonic() - began:.0f} s"


def a_reset_keeps_the_data(site: Site) -> str:
    """K3s goes, etcd stays; site.yml brings the cluster back with what was in it."""
    played = site.play("reset.yml", k3s_version=VERSION_B)
    assert played.status != 0 and "reset_confirm=proof" in played.text
    site.kubectl("-n default create configmap kept --from-literal=word=still-here")
    played = site.play("reset.yml", "-e", "reset_confirm=proof", k3s_version=VERSION_B)
    assert played.status == 0, played.text[-3000:]
    for machine in ALL:
        assert site.on(machine, "pgrep -fc '^/var/lib/rancher' || true", check=False) == "0"
        assert site.on(machine, "ls /usr/local/bin/k3s", check=False) == ""
    seconds = played.seconds
    played = site.play("site.yml", k3s_version=VERSION_B)
    assert played.status == 0, played.text[-3000:]
    assert site.nodes() == {machine.name: (VERSION_B, True, True) for machine in ALL}
    assert site.kubectl("-n default get configmap kept -o jsonpath={.data.word}") == "still-here"
    return f"reset {seconds:.0f} s, back with its objects {played.seconds:.0f} s"


def a_reset_that_is_told_to_deletes_everything(site: Site) -> str:
    """Nothing of K3s is left."""
    played = site.play("reset.yml", "-e", "reset_confirm=proof", "-e", "reset_delete_data=true", k3s_version=VERSION_B)
    assert played.status == 0, played.text[-3000:]
    for machine in ALL:
        assert site.on(machine, "ls -A /var/lib/rancher /etc/rancher 2>/dev/null", check=False) == "/var/lib/rancher:"
    return f"{played.seconds:.0f} s"


STEPS = (
    three_bare_machines_start,
    what_is_wrong_in_the_inventory_stops_early_with_reason_and_remedy,
    what_is_wrong_on_a_machine_stops_early_with_reason_and_remedy,
    a_check_on_fresh_machines_changes_nothing,
    a_first_run_is_killed_half_way,
    from_there_to_a_cluster_of_three,
    from_bare_to_ready,
    a_second_run_changes_nothing,
    the_cluster_is_hardened,
    an_upgrade_takes_one_node_at_a_time,
    another_version_by_the_wrong_playbook_and_back_are_refused,
    a_second_machine_of_one_name_is_refused_until_the_first_is_replaced,
    etcd_is_lost_and_comes_back_from_a_snapshot,
    a_reset_keeps_the_data,
    a_reset_that_is_told_to_deletes_everything,
)
