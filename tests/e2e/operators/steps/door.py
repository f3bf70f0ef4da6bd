"""The door: a certificate that cert-manager makes and renews, and one that has expired."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from pathlib import Path

import httpx
from cryptography import x509

from tests.e2e.alerts.certificate import certificate
from tests.e2e.alerts.site import INGRESS, applied, secret
from tests.e2e.cluster.kube import get, kubectl, room, wait_until
from tests.e2e.operators.site import FOLDER, HOST, ROOM, Site

# Where cert-manager's controller looks for a ClusterIssuer's Secrets: its own namespace.
MANAGER = "ops-cert-manager"


def shown(authority: str = "") -> x509.Certificate:
    """The certificate at the door; with an authority the chain is verified, as a browser does."""
    context = ssl.create_default_context(cafile=authority or None)
    if not authority:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    url = httpx.URL(INGRESS)
    raw = socket.create_connection((url.host, url.port or 443), 10)
    with raw, context.wrap_socket(raw, server_hostname=HOST) as wrapped:
        return x509.load_der_x509_certificate(wrapped.getpeercert(True) or b"")


def door_series() -> list[str]:
    """What Traefik says of the certificates for the room's name; the alert's series."""
    pods = get("kube-system", "pods", "-l", "app.kubernetes.io/name=traefik")["items"]
    name = pods[0]["metadata"]["name"]
    text = kubectl("get", "--raw", f"/api/v1/namespaces/kube-system/pods/{name}:9100/proxy/metrics")
    return [line for line in text.splitlines() if line.startswith("traefik_tls_certs_not_after") and HOST in line]


def a_certificate_by_cert_manager_is_at_the_door_and_renewed_without_a_restart(site: Site) -> str:
    """An authority of the cluster's own; the chart's annotation asks it; renewed after a minute."""
    kubectl("-n", MANAGER, "rollout", "status", "deployment/cert-manager", "--timeout=60s")
    ours = {"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer"}
    applied(
        {**ours, "metadata": {"name": "ops-self"}, "spec": {"selfSigned": {}}},
        {"apiVersion": "cert-manager.io/v1", "kind": "Certificate",
         "metadata": {"name": "ops-authority", "namespace": MANAGER},
         "spec": {"isCA": True, "commonName": "Hilum e2e", "secretName": "ops-authority",
                  "privateKey": {"algorithm": "ECDSA", "size": 256},
                  "issuerRef": {"name": "ops-self", "kind": "ClusterIssuer", "group": "cert-manager.io"}}},
        {**ours, "metadata": {"name": "ops-hospital"}, "spec": {"ca": {"secretName": "ops-authority"}}},
    )  # fmt: skip
    kubectl("wait", "clusterissuer/ops-hospital", "--for=condition=Ready", "--timeout=60s")
    kubectl("-n", ROOM, "delete", "secret", "ops-made", "certificate", "ops-made", "--ignore-not-found", check=False)
    # An hour is the shortest that there is; renewed 59 minutes before its end.
    lifetime = {"cert-manager.io/duration": "1h", "cert-manager.io/renew-before": "59m"}
    pods = sorted(pod["metadata"]["uid"] for pod in get(ROOM, "pods", "-l", "app.kubernetes.io/component=web")["items"])
    began = time.monotonic()
    site.install("web", ingress={"clusterIssuer": "ops-hospital", "tlsSecret": "ops-made", "annotations": lifetime})
    kubectl("-n", ROOM, "wait", "certificate/ops-made", "--for=condition=Ready", "--timeout=90s")
    authority = FOLDER / "authority.crt"
    made = get(ROOM, "secret", "ops-made")["data"]["ca.crt"]
    authority.write_bytes(__import__("base64").b64decode(made))
    wait_until("the new certificate at the door", lambda: trusted(authority), 60)
    there = time.monotonic() - began
    first = shown(str(authority))
    bad: list[str] = []
    asked = 0
    stop = threading.Event()

    def ask() -> None:
        nonlocal asked
        while not stop.is_set():
            with room(HOST, INGRESS, 0) as client:
                try:
                    answer = client.get("/readyz")
                    if answer.status_code != 200:
                        bad.append(str(answer.status_code))
                except httpx.HTTPError as error:
                    bad.append(repr(error))
            asked += 1
            time.sleep(0.2)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        wait_until(
            "a renewed certificate at the door",
            lambda: shown(str(authority)).serial_number != first.serial_number,
            240,
        )
    finally:
        stop.set()
        thread.join()
    second = shown(str(authority))
    now = sorted(pod["metadata"]["uid"] for pod in get(ROOM, "pods", "-l", "app.kubernetes.io/component=web")["items"])
    assert pods == now, "web was restarted"
    assert not bad, f"{len(bad)} of {asked} requests failed: {bad[:3]}"
    series = door_series()
    ends = {float(line.rsplit(" ", 1)[1]) for line in series}
    renewed = second.not_valid_after_utc.timestamp()
    assert any(abs(end - renewed) < 2 for end in ends), series
    gap = (second.not_valid_before_utc - first.not_valid_before_utc).total_seconds()
    return (
        f"at the door after {there:.0f} s, its chain verified for {HOST}; renewed {gap:.0f} s later; {asked} requests "
        f"meanwhile, none failed; web's pods are the same; Traefik's series: {len(ends)} for the name, "
        "the renewed one among them"
    )


def trusted(authority: Path) -> bool:
    """Whether the door's certificate is the authority's."""
    try:
        shown(str(authority))
    except (ssl.SSLError, OSError):
        return False
    return True


def an_expired_certificate_is_refused_by_browsers_and_counted_at_the_door(site: Site) -> str:
    """What runs goes on: who does not verify is answered; who verifies is told why not."""
    data = certificate(HOST, hours=-1)
    secret(ROOM, "ops-expired", **data)
    site.install("web", ingress={"tlsSecret": "ops-expired"})
    end = x509.load_pem_x509_certificate(data["tls.crt"].encode()).not_valid_after_utc
    wait_until("the expired certificate at the door", lambda: shown().not_valid_after_utc == end, 60)
    path = FOLDER / "expired.crt"
    path.write_text(data["tls.crt"], encoding="utf-8")
    try:
        shown(str(path))
        raise AssertionError("an expired certificate was believed")
    except ssl.SSLCertVerificationError as error:
        words = error.verify_message
    with room(HOST, INGRESS) as client:
        assert client.get("/readyz").status_code == 200
    wait_until("the metric", lambda: any(float(s.rsplit(" ", 1)[1]) == end.timestamp() for s in door_series()), 60)
    return f'a client that verifies: "{words}"; /readyz 200 for one that does not; Traefik\'s series tells its end'
