"""DICOM by TLS, from hosts of their own: network namespaces on this machine, each with its address."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pydicom.uid import generate_uid

from tests.e2e.alerts.site import secret
from tests.e2e.cluster.kube import get, sh, wait_until
from tests.e2e.operators.site import FOLDER, ROOM, Site, paper
from tests.hilum.imaging.bodies import dicom

PORT = 11113


@contextlib.contextmanager
def host(name: str, number: int) -> Iterator[str]:
    """Another host beside the node: its address, as the cluster sees it."""
    space, near, far = f"ops-{name}", f"ops{number}a", f"ops{number}b"
    sh("ip", "netns", "delete", space, check=False)
    sh("ip", "netns", "add", space)
    try:
        sh("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", space)
        sh("ip", "address", "add", f"10.99.{number}.1/30", "dev", near)
        sh("ip", "link", "set", near, "up")
        for command in (f"address add 10.99.{number}.2/30 dev {far}", f"link set {far} up",
                        f"route add default via 10.99.{number}.1"):  # fmt: skip
            sh("ip", "-n", space, *command.split())
        yield f"10.99.{number}.2"
    finally:
        sh("ip", "netns", "delete", space, check=False)


def sent(
    space: str, program: str, address: str, *more: str | Path, port: int = PORT
) -> subprocess.CompletedProcess[str]:
    """A program of dcmtk on that host, to the room's port."""
    film = [str(more[-1])] if program == "storescu" else []
    options = [str(one) for one in more[: len(more) - len(film)]]
    command = ["ip", "netns", "exec", f"ops-{space}", program, "-to", "5", "-ta", "5", *options,
               "-aet", "CR1", "-aec", "HILUM", address, str(port), *film]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def dicom_goes_in_by_tls_from_hosts_on_the_list_alone(site: Site) -> str:
    """An allowed host with a certificate, without one, in plain; and a host that is not on the list."""
    ours = paper("dicom", "dicom.ops.test")
    theirs = paper("cr1", "cr1.ops.test")
    paper("stranger", "stranger.ops.test")
    secret(ROOM, "dicom-tls", **{**ours, "ca.crt": theirs["tls.crt"]})
    with host("cr1", 1) as allowed, host("other", 2) as other:
        site.install("web", dicom={
            "enabled": True, "port": PORT, "peers": {"CR1": "Ward A"}, "allowedCIDRs": [f"{allowed}/32"],
            "tlsSecret": "dicom-tls", "tlsClientAuthority": True, "serviceType": "LoadBalancer",
        })  # fmt: skip

        def given() -> list[dict[str, str]]:
            found: list[dict[str, str]] = get(ROOM, "service", "dicom")["status"]["loadBalancer"].get("ingress", [])
            return found

        wait_until("an address", lambda: bool(given()), 60)
        address = given()[0]["ip"]
        ca = ("+cf", FOLDER / "dicom.crt")
        proof = ("+tls", FOLDER / "cr1.key", FOLDER / "cr1.crt", *ca)
        wait_until("the port", lambda: sent("cr1", "echoscu", address, *proof).returncode == 0, 60)
        film = FOLDER / "film.dcm"
        study = str(generate_uid())
        film.write_bytes(dicom(StudyInstanceUID=study))
        stored = sent("cr1", "storescu", address, *proof, film)
        assert stored.returncode == 0, stored.stderr
        client = site.client()
        row = client.get(f"/v1/studies/{study}").raise_for_status().json()
        wait_until("its answer", lambda: client.get(f"/v1/studies/{study}").json()["status"] != "waiting", 60)
        said = {}
        stranger = ("+tls", FOLDER / "stranger.key", FOLDER / "stranger.crt", *ca)
        for what, papers in (("a stranger's certificate", stranger), ("none", ("+tla", *ca)), ("plain", ())):
            refused = sent("cr1", "echoscu", address, *papers)
            assert refused.returncode != 0, what
            said[what] = last(refused)
        refused = sent("other", "echoscu", address, *proof)
        assert refused.returncode != 0, "a host that is not on the list was let in"
        said[f"{other}, with the right certificate"] = last(refused)
        # By the pod's own address no Service stands between: the NetworkPolicy alone.
        pod = get(ROOM, "pods", "-l", "app.kubernetes.io/component=web")["items"][0]["status"]["podIP"]
        direct = sent("other", "echoscu", pod, *proof, port=11112)
        assert direct.returncode != 0, "the NetworkPolicy let a host in that is not on the list"
        said[f"{other}, to the pod's own address"] = last(direct)
    words = "; ".join(f"{what}: {why}" for what, why in said.items())
    return (
        f"from {allowed} by TLS with a certificate: 0000, study of site {row.get('site', '?')!r} listed and scored. "
        f"Refused: {words}"
    )


def last(done: subprocess.CompletedProcess[str]) -> str:
    """The program's last words."""
    lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    return lines[-1].split(":", 1)[-1].strip() if lines else f"exit {done.returncode}"
