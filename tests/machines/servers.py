"""Three servers: etcd's majority, the loss of one, the loss of etcd, the loss of everything but the bucket."""

from __future__ import annotations

import json
import re
import time

from tests.machines import bucket, machines
from tests.machines.machines import Machine
from tests.machines.site import SERVER, VERSION_A, VERSION_B, Site

SECOND, THIRD = Machine("hilum-server-2", "172.31.253.13"), Machine("hilum-server-3", "172.31.253.14")
GROUPS: dict[str, tuple[Machine, ...]] = {"servers": (SERVER, SECOND, THIRD), "agents": (), "gpu_agents": ()}
MEMBERS = (
    'import urllib.request as u; url = "http://127.0.0.1:2379/v3/cluster/member/list"; '
    'print(u.urlopen(url, b"{}").read().decode())'
)


def members(site: Site) -> dict[str, bool]:
    """etcd's members by name, and whether each has a vote."""
    found = json.loads(site.on(SERVER, f"python3 -c '{MEMBERS}'"))["members"]
    return {member.get("name", ""): not member.get("isLearner", False) for member in found}


def all_members(site: Site, seconds: int = 60) -> None:
    """Wait until all three have a vote."""
    end = time.monotonic() + seconds
    while members(site) != {machine.name: True for machine in site.all}:
        assert time.monotonic() < end, members(site)
        time.sleep(1)


def three_servers_join_one_after_the_other(site: Site) -> str:
    """From bare machines; each is a member of etcd with a vote."""
    for machine in site.all:
        site.fresh(machine)
    played = site.play("site.yml")
    assert played.status == 0, played.text[-3000:]
    site.ready(VERSION_A)
    all_members(site)
    return f"3 servers ready, 3 members of etcd, {played.changed} changes, {played.seconds:.0f} s"


def a_second_run_on_three_servers_changes_nothing(site: Site) -> str:
    """Nobody joins anybody again."""
    played = site.play("site.yml")
    assert played.status == 0, played.text[-3000:]
    assert played.changed == 0, played.text
    return f"0 changes, {played.seconds:.0f} s"


def a_lost_server_is_replaced_while_the_others_go_on(site: Site) -> str:
    """Power off one of three: the API answers and writes; a new machine takes its name and its place in etcd."""
    machines.unplug(site.lives.pop(THIRD.name))
    began = time.monotonic()
    while True:
        done = site.kubectl("-n default create configmap with-two --from-literal=word=written", check=False)
        if "created" in done:
            break
        assert time.monotonic() < began + 60, done
        time.sleep(0.5)
    written = time.monotonic() - began
    began = time.monotonic()
    given = ("-e", f"replace_node={THIRD.name}", "-e", "replace_drain_seconds=10")
    played = site.play("replace.yml", *given)
    assert played.status == 0, played.text[-3000:]
    end = time.monotonic() + 60
    while THIRD.name in members(site):
        assert time.monotonic() < end, members(site)
        time.sleep(1)
    site.fresh(THIRD)
    played = site.play("site.yml")
    assert played.status == 0, played.text[-3000:]
    site.ready(VERSION_A)
    all_members(site)
    return f"written with two after {written:.0f} s; replaced and 3 members after {time.monotonic() - began:.0f} s"


def the_first_server_is_replaced_too(site: Site) -> str:
    """The one that began the cluster: its successor joins the others."""
    began = time.monotonic()
    machines.unplug(site.lives.pop(SERVER.name))
    given = ("-e", f"replace_node={SERVER.name}", "-e", "replace_drain_seconds=10")
    played = site.play("replace.yml", *given)
    assert played.status == 0, played.text[-3000:]
    site.fresh(SERVER)
    played = site.play("site.yml")
    assert played.status == 0, played.text[-3000:]
    site.ready(VERSION_A)
    all_members(site)
    assert site.kubectl("-n default get configmap with-two -o jsonpath={.data.word}") == "written"
    played = site.play("site.yml")
    assert played.changed == 0, played.text
    return f"3 members after {time.monotonic() - began:.0f} s, its second run included"


def an_upgrade_of_three_servers_keeps_two(site: Site) -> str:
    """From A to B, one server at a time."""
    with site.watched() as worst:
        played = site.play("upgrade.yml", k3s_version=VERSION_B)
    assert played.status == 0, played.text[-3000:]
    site.ready(VERSION_B)
    assert worst[0] <= 1, f"{worst[0]} nodes were away at once"
    all_members(site)
    return f"at most {worst[0]} node away in {worst[1]} looks, {played.seconds:.0f} s"


def everything_is_lost_but_the_bucket_and_the_token(site: Site) -> str:
    """The drill: three new machines, a cluster, the snapshot from the bucket; a Secret of the old cluster is read."""
    with bucket.running() as store:
        site.secrets = store.keys
        given = {"k3s_version": VERSION_B, **store.settings}
        played = site.play("site.yml", **given)
        assert played.status == 0, played.text[-3000:]
        site.kubectl("-n default create secret generic drill --from-literal=word=kept")
        played = site.play("backup.yml", **given)
        assert played.status == 0, played.text[-3000:]
        names = re.findall(r"Snapshot (on-demand-\S+) saved in the bucket", played.text)
        assert names, played.text[-1500:]
        token = site.on(SERVER, "cat /var/lib/rancher/k3s/server/token")
        for machine in site.all:
            site.fresh(machine)
        began = time.monotonic()
        played = site.play("site.yml", **given)
        assert played.status == 0, played.text[-3000:]
        site.secrets = store.keys | {"HILUM_CLUSTER_TOKEN": "K10::server:of-another-cluster"}
        back = ("-e", "restore_confirm=proof", "-e", f"restore_snapshot={names[0]}")
        wrong = site.play("restore.yml", *back, **given)
        assert wrong.status != 0 and "encrypted with different token" in wrong.text, wrong.text[-2000:]
        site.secrets = store.keys | {"HILUM_CLUSTER_TOKEN": token}
        played = site.play("restore.yml", *back, **given)
        assert played.status == 0, played.text[-3000:]
        played = site.play("site.yml", **given)
        assert played.status == 0, played.text[-3000:]
        site.ready(VERSION_B)
        all_members(site)
        assert site.kubectl("-n default get secret drill -o jsonpath={.data.word}") == "a2VwdA=="
        site.secrets = {}
    return f"3 new servers with the old cluster's Secret after {time.monotonic() - began:.0f} s, a wrong token refused"


STEPS = (
    three_servers_join_one_after_the_other,
    a_second_run_on_three_servers_changes_nothing,
    a_lost_server_is_replaced_while_the_others_go_on,
    the_first_server_is_replaced_too,
    an_upgrade_of_three_servers_keeps_two,
    everything_is_lost_but_the_bucket_and_the_token,
)
