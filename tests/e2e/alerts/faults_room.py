"""The reading room's own faults: a migration gone wrong, an archive that refuses, stores away under a DICOM sender."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from hilum.release import read_manifest
from tests.e2e.alerts.fault import Fault
from tests.e2e.alerts.reading import film, read, read_first, send, studies
from tests.e2e.alerts.site import APP, STORES, WATCHES, Site, applied, pod
from tests.e2e.alerts.watch import Watch
from tests.e2e.cluster.kube import ROOT, kubectl, wait_until

# An archive that knows no structured reports: 0122, SOP class not supported.
ARCHIVE = """
from pynetdicom import AE, evt, ALL_TRANSFER_SYNTAXES
from pynetdicom.presentation import StoragePresentationContexts
ae = AE(ae_title='ARCHIVE')
for context in StoragePresentationContexts: ae.add_supported_context(context.abstract_syntax, ALL_TRANSFER_SYNTAXES)
ae.start_server(('0.0.0.0', 11112), evt_handlers=[(evt.EVT_C_STORE, lambda event: %s)])
"""
# A modality's C-STORE, from where the reading room listens.
SEND = """
import io, sys, base64
import hilum.imaging
from pydicom import dcmread
from pydicom.uid import generate_uid
from pynetdicom import AE
film = dcmread(io.BytesIO(base64.b64decode(sys.stdin.read())))
ae = AE(ae_title='CR1'); ae.add_requested_context(film.SOPClassUID, film.file_meta.TransferSyntaxUID)
for n in range(6):
    film.StudyInstanceUID, film.SeriesInstanceUID, film.SOPInstanceUID = generate_uid(), generate_uid(), generate_uid()
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID
    peer = ae.associate('127.0.0.1', 11112, ae_title='HILUM')
    print(peer.is_established, peer.send_c_store(film) if peer.is_established else '')
    peer.release()
"""


def _sql(text: str) -> None:
    kubectl("-n", STORES, "exec", "postgresql-0", "--", "psql", "-U", "postgres", "-q", "-d", "hilum_production",
            "-c", text)  # fmt: skip


def _archive(site: Site, answer: str) -> None:
    labels = {"app": "archive"}
    image = f"{site.images['web']['repository']}@{site.images['web']['digest']}"
    port = {"port": 11112, "protocol": "TCP"}
    kubectl("-n", APP, "delete", "pod", "archive", "--grace-period=1", "--ignore-not-found")
    room = {"podSelector": {"matchLabels": {"app.kubernetes.io/component": "web"}}}
    applied(
        pod("archive", APP, ["python", "-c", ARCHIVE % answer], image=image, labels=labels, memory="256Mi"),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "archive", "namespace": APP},
         "spec": {"selector": labels, "ports": [port]}},
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
         "metadata": {"name": "archive", "namespace": APP},
         "spec": {"podSelector": {"matchLabels": labels}, "policyTypes": ["Ingress"],
                  "ingress": [{"from": [room], "ports": [port]}]}},
    )  # fmt: skip


def _refusing_archive(site: Site) -> float:
    _archive(site, "0x0122")
    kubectl("-n", APP, "wait", "pod/archive", "--for=condition=Ready", "--timeout=120s")
    began = time.time()
    # Reports answer what came by DICOM.
    _sent_by_dicom()
    return began


def _sent_by_dicom() -> None:
    film = base64.b64encode((ROOT / "samples/nih_test2.dcm").read_bytes()).decode()
    kubectl("-n", APP, "exec", "-i", "deploy/web", "-c", "web", "--", "python", "-c", SEND, text=film)


def _taking_archive(site: Site) -> None:
    """It takes reports now, and a person lets those that were refused be sent again, as the runbook says."""
    _archive(site, "0x0000")
    kubectl("-n", APP, "wait", "pod/archive", "--for=condition=Ready", "--timeout=120s")
    _sql("update deliveries set refused = null where refused is not null")


def _small_bodies(site: Site) -> float:
    """feedback takes bodies of 100 bytes at most, as after a wrong value, and a reader reads."""
    kubectl("-n", APP, "set", "env", "deployment/feedback", "HILUM_MAX_BODY_BYTES=100")
    kubectl("-n", APP, "rollout", "status", "deployment/feedback", "--timeout=240s")
    began = time.time()
    assert send(site, film(3)).status_code == 201
    read_first(site)
    return began


def _bodies(_: Site) -> None:
    kubectl("-n", APP, "set", "env", "deployment/feedback", "HILUM_MAX_BODY_BYTES-")
    kubectl("-n", APP, "rollout", "status", "deployment/feedback", "--timeout=240s")
    _sql("update outbox set refused = null where refused is not null")


def _no_more_export(site: Site) -> float:
    """A read comes that the bucket does not get."""
    watch = Watch(WATCHES[60])
    wait_until("an export that is up to date", lambda: "ExportStale" not in watch.firing(), 120)
    _bucket("hilum-newdata", "hilum-newdata-gone")
    began = time.time()
    read_first(site)
    return began


def _bucket(of: str, to: str) -> None:
    """The bucket in feedback's settings, as after a wrong value."""
    kubectl("-n", APP, "set", "env", "deployment/feedback", f"HILUM_NEWDATA_URL=s3://{to}")
    kubectl("-n", APP, "rollout", "status", "deployment/feedback", "--timeout=240s")
    assert of != to


def _export(_: Site) -> None:
    _bucket("hilum-newdata-gone", "hilum-newdata")


def _forty_reads(site: Site) -> float:
    """Forty studies, every finding judged, none of them blind."""
    for number in range(40):
        assert send(site, film(number)).status_code == 201
    began = time.time()
    findings = _findings()
    read_now: set[str] = set()

    def enough() -> bool:
        with site.reads:
            for study in studies(site):
                ready = study["status"] != "waiting" and study["uid"] != site.memory.get("skipped")
                if ready and study["uid"] not in read_now and len(read_now) < 42:
                    read(site, study, dict.fromkeys(findings, 0))
                    read_now.add(study["uid"])
        return len(read_now) >= 42

    wait_until("42 reads", enough, 240)
    return began


def _findings() -> list[str]:
    return [finding.name for finding in read_manifest(ROOT / "models/default").variants[0].findings]


def _blind_reads(site: Site) -> None:
    """Every study that comes is blind, and three are read, by nobody else."""
    site.nobody_reads.set()
    try:
        _blind_share("1")
        _read_blind(site)
    finally:
        _blind_share("0")
        site.nobody_reads.clear()


def _read_blind(site: Site) -> None:
    findings = _findings()
    for number in range(3):
        uid = send(site, film(number)).raise_for_status().json()["uid"]

        def scored(uid: str = uid) -> bool:
            return bool(site.client().get(f"/v1/studies/{uid}").raise_for_status().json()["status"] != "waiting")

        wait_until("its score", scored, 120)
        with site.reads:
            read(site, next(one for one in studies(site) if one["uid"] == uid), dict.fromkeys(findings, number % 2))
        # Two scrapes see each.
        time.sleep(6)


def _blind_share(share: str) -> None:
    kubectl("-n", APP, "set", "env", "deployment/web", f"HILUM_BLIND_SHARE={share}")
    kubectl("-n", APP, "rollout", "status", "deployment/web", "--timeout=240s")


def _modality(_: Site) -> float:
    kubectl("-n", STORES, "scale", "statefulset/minio", "--replicas=0")
    kubectl("-n", STORES, "wait", "pod/minio-0", "--for=delete", "--timeout=60s", check=False)
    began = time.time()
    _sent_by_dicom()
    return began


def _store(_: Site) -> None:
    kubectl("-n", STORES, "scale", "statefulset/minio", "--replicas=1")
    kubectl("-n", STORES, "rollout", "status", "statefulset/minio", "--timeout=120s")


def _shut_out(_: Site) -> None:
    """feedback's pods let the scraper in no more: a policy that was written anew and forgot them."""
    _metrics_policy({"matchExpressions": [{"key": "app.kubernetes.io/component", "operator": "NotIn",
                                           "values": ["feedback"]}], "matchLabels": _ALL})  # fmt: skip


_ALL = {"app.kubernetes.io/name": "hilum"}


def _metrics_policy(selector: dict[str, Any]) -> None:
    patch = [{"op": "replace", "path": "/spec/podSelector", "value": selector}]
    kubectl("-n", APP, "patch", "networkpolicy", "metrics", "--type=json", "-p", json.dumps(patch))


FAULTS = [
    Fault("a table is missing that the list needs, as after a migration gone wrong", 1, ("ReadingRoomErrors",),
          lambda _: _sql("alter table saved_views rename to saved_views_gone"),
          lambda _: _sql("alter table saved_views_gone rename to saved_views"), minutes=12, rest_minutes=10,
          lane="pages"),
    Fault("the archive for results does not answer", 1, ("ResultsWait",), lambda _: None, lambda _: None,
          lane="archive", minutes=25, ready=lambda _: _sent_by_dicom()),
    Fault("the archive refuses structured reports", 1, ("ResultsRefused",), _refusing_archive, _taking_archive,
          lane="archive", minutes=12),
    Fault("feedback's bucket is not there", 1, (), _no_more_export, _export, lane="feedback",
          fast={60: ("ExportStale",)}, minutes=8),
    Fault("feedback refuses bodies above 100 bytes, and a read comes", 1, ("ReadsRefused",), _small_bodies, _bodies,
          lane="feedback", minutes=12),
    Fault("feedback's pods let the scraper in no more", 1, ("ServiceDown",), _shut_out,
          lambda _: _metrics_policy({"matchLabels": _ALL}), lane="feedback", minutes=6),
    Fault("42 studies are read, none of them blind", 3, (), _forty_reads, _blind_reads, lane="reading",
          fast={60: ("NoRecentBlindReads",)}, minutes=8),
    Fault("a modality sends while the object store is away", 2, ("FilmsNotKept", "ObjectStoreDown"), _modality, _store,
          minutes=6, rest_minutes=12, lane="stores"),
]  # fmt: skip
