"""One machine that is everything: `single-node.yml` with a data volume, and what the charts' small values meet."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.machines import bucket
from tests.machines.machines import STATE, Machine, sh
from tests.machines.site import ROOT, SERVER, VERSION_A, Site

GROUPS: dict[str, tuple[Machine, ...]] = {"servers": (SERVER,), "agents": (), "gpu_agents": ()}
VOLUME_GB = 8


@contextmanager
def volume() -> Iterator[str]:
    """A block device of its own: a file of this machine, which takes only the room that is written."""
    image = STATE / "volume"
    if not image.exists():
        with image.open("wb") as file:
            file.truncate(VOLUME_GB << 30)
    device = sh("losetup", "--find", "--show", image).stdout.strip()
    try:
        yield device
    finally:
        sh("losetup", "--detach", device)


def a_bare_machine_with_a_volume_becomes_a_cluster(site: Site) -> str:
    """The volume is formatted once and mounted; a new machine with the same volume brings the cluster back."""
    (STATE / "volume").unlink(missing_ok=True)
    with volume() as device:
        given = {"data_device": device}
        site.groups["servers"] = (Machine(SERVER.name, SERVER.address, (device,)),)
        machine = site.groups["servers"][0]
        site.fresh(machine)
        try:
            return _seen(site, machine, given)
        finally:
            site.off(machine)
            site.groups = dict(GROUPS)


def _seen(site: Site, machine: Machine, given: dict[str, str]) -> str:
    first = site.play("single-node.yml", **given)
    assert first.status == 0, first.text[-3000:]
    site.ready(VERSION_A)
    assert site.on(machine, "findmnt -no FSTYPE,LABEL /var/lib/rancher").split() == ["ext4", "hilum-data"]
    second = site.play("single-node.yml", **given)
    assert second.status == 0 and second.changed == 0, second.text[-3000:]
    objects = small_values_are_taken(site)
    site.kubectl("-n default create secret generic kept --from-literal=word=on-the-volume")
    # Its root disk and its settings are gone; the volume stays, as with `terraform apply -replace`.
    site.fresh(machine)
    began = time.monotonic()
    back = site.play("single-node.yml", **given)
    assert back.status == 0, back.text[-3000:]
    site.ready(VERSION_A)
    assert site.kubectl("-n default get secret kept -o jsonpath={.data.word}") == "b24tdGhlLXZvbHVtZQ=="
    return (
        f"ready in {first.seconds:.0f} s; again 0 changes, {second.seconds:.0f} s; {objects} objects of the small "
        f"values taken; a new machine with the old volume reads its Secret after {time.monotonic() - began:.0f} s"
    )


def small_values_are_taken(site: Site) -> int:
    """The API server of the machine judges what the charts' small values give: names, kinds, Pod Security, quotas."""
    helm = shutil.which("helm") or str(Path.home() / ".cache/cluster/bin/helm")
    values = ROOT / "charts/hilum/ci/small-values.yaml"
    # Helm knows no cluster here, and takes its own age for the cluster's version.
    command = [helm, "template", "hilum", str(ROOT / "charts/hilum"), "-n", "hilum-production", "-f", str(values)]
    command += ["--no-hooks", "--kube-version", VERSION_A.partition("+")[0]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-1000:]
    manifest = site.groups["servers"][0].root / "root/hilum.yaml"
    manifest.write_text(done.stdout, encoding="utf-8")
    said = site.on(
        site.groups["servers"][0],
        "k3s kubectl -n hilum-production apply --server-side --dry-run=server -f /root/hilum.yaml 2>&1",
    )
    assert "Warning" not in said, said
    lines = [line for line in said.splitlines() if line]
    assert len(lines) > 5 and all("(server dry run)" in line for line in lines), said
    return len(lines)


def etcd_and_its_snapshots_are_lost_and_the_bucket_has_one(site: Site) -> str:
    """A snapshot goes to the bucket; after the loss of everything of etcd on the machine it is fetched from there."""
    site.fresh(SERVER)
    with bucket.running() as store:
        site.secrets = store.keys
        played = site.play("single-node.yml", **store.settings)
        assert played.status == 0, played.text[-3000:]
        site.ready(VERSION_A)
        site.kubectl("-n default create secret generic drill --from-literal=word=kept")
        played = site.play("backup.yml", **store.settings)
        assert played.status == 0, played.text[-3000:]
        names = re.findall(r"Snapshot (on-demand-\S+) saved in the bucket", played.text)
        assert names, played.text[-1500:]
        site.on(SERVER, "systemctl stop k3s; cd /var/lib/rancher/k3s/server/db; rm -rf etcd snapshots")
        back = ("-e", "restore_confirm=proof", "-e", f"restore_snapshot={names[0]}")
        played = site.play("restore.yml", *back, **store.settings)
        assert played.status == 0, played.text[-3000:]
        site.ready(VERSION_A)
        assert site.kubectl("-n default get secret drill -o jsonpath={.data.word}") == "a2VwdA=="
        site.secrets = {}
    return f"its Secret and a ready node, restore.yml {played.seconds:.0f} s"


def wrong_keys_of_the_bucket_are_told(site: Site) -> str:
    """A snapshot that can't reach the bucket is an error with the service's words."""
    with bucket.running() as store:
        site.secrets = {"HILUM_BACKUP_ACCESS_KEY": "nobody", "HILUM_BACKUP_SECRET_KEY": "nothing"}
        played = site.play("single-node.yml", **store.settings)
        assert played.status == 0, played.text[-3000:]
        played = site.play("backup.yml", **store.settings)
        site.secrets = {}
    assert played.status != 0 and "InvalidAccessKeyId" in played.text, played.text[-2000:]
    return "InvalidAccessKeyId, by the bucket's own word"


STEPS = (
    a_bare_machine_with_a_volume_becomes_a_cluster,
    etcd_and_its_snapshots_are_lost_and_the_bucket_has_one,
    wrong_keys_of_the_bucket_are_told,
)
