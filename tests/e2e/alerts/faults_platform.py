"""What the hospital stands on, broken: volumes, backups, certificates, pods, a GPU's report, Prometheus's own rules."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.alerts.certificate import certificate
from tests.e2e.alerts.fault import Fault
from tests.e2e.alerts.site import APP, FOLDER, HOST, STORES, WATCH, WATCHES, Site, applied, pod, secret
from tests.e2e.alerts.watch import Watch
from tests.e2e.cluster.kube import get, kubectl, sh, wait_until

PAGE = """
from http.server import *
class P(BaseHTTPRequestHandler):
  def do_GET(self):
    self.send_response(200); self.send_header('Content-Type', 'text/plain; version=0.0.4'); self.end_headers()
    self.wfile.write(%r.encode())
  def log_message(self, *_): pass
ThreadingHTTPServer(('', %d), P).serve_forever()
"""
OF_GPU = '{gpu="0",Hostname="node-1",modelName="stand-in"}'
GPU = "".join(
    f"# TYPE DCGM_FI_DEV_{name} gauge\nDCGM_FI_DEV_{name}{OF_GPU} {value}\n"
    for name, value in {"XID_ERRORS": 79, "GPU_UTIL": 41, "FB_USED": 2048}.items()
)
TWO = 'made_up{number="1"} 1\nmade_up{number="2"} 2\n'


def gone(namespace: str, *what: str) -> None:
    """Delete, and do not wait."""
    kubectl("-n", namespace, "delete", *what, "--ignore-not-found", "--wait=false")


def _page(site: Site, name: str, text: str, port: int, labels: dict[str, str]) -> None:
    found = {"prometheus.io/scrape": "true", "prometheus.io/port": str(port), "prometheus.io/path": "/metrics"}
    made = pod(name, WATCH, ["python", "-c", PAGE % (text, port)], image=site.python, labels=labels,
               annotations=found if "app" not in labels else {})  # fmt: skip
    made["spec"]["containers"][0]["ports"] = [{"containerPort": port, "protocol": "TCP"}]
    # The only pods with a limit of the processor.
    made["spec"]["containers"][0]["resources"]["limits"]["cpu"] = "50m"
    applied(made)


def _many_to_many(site: Site) -> None:
    _page(site, "many", TWO, 8006, {"app.kubernetes.io/component": "many"})


def _gpu(site: Site) -> None:
    _page(site, "dcgm", GPU, 9400, {"app": "nvidia-dcgm-exporter"})


def _volume(name: str, megabytes: int) -> None:
    """A file system of its own on the node, as a local volume, of which the kubelet counts the use."""
    place = FOLDER / "volumes" / name
    place.mkdir(parents=True, exist_ok=True)
    if not os.path.ismount(place):
        sh("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0777", "tmpfs", str(place))
    node = json.loads(kubectl("get", "nodes", "-o", "json"))["items"][0]["metadata"]["labels"]["kubernetes.io/hostname"]
    size = f"{megabytes}Mi"
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    shared: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "storageClassName": "mon-local"}
    applied(
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"mon-{name}"},
         "spec": shared | {"capacity": {"storage": size}, "local": {"path": str(place)},
                           "persistentVolumeReclaimPolicy": "Retain",
                           "claimRef": {"namespace": APP, "name": name},
                           "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}}}},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": APP},
         "spec": shared | {"volumeName": f"mon-{name}", "resources": {"requests": {"storage": size}}}},
    )  # fmt: skip


def _writer(site: Site, name: str, first: int, more: str) -> None:
    """A pod that writes `first` MiB, and then `more` each ten seconds, which is Python."""
    code = (
        "import time\nf = open('/data/kept', 'ab'); one = bytes(1 << 20)\n"
        f"for _ in range({first}): f.write(one)\nf.flush()\n"
        f"while True:\n  time.sleep(10); {more}\n"
    )
    made = pod(name, APP, ["python", "-c", code], image=site.python)
    made["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]
    made["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    applied(made)


def _volumes(site: Site) -> None:
    for name in ("full", "filling"):
        _volume(name, 64)
    _writer(site, "full", 62, "pass")
    # 62 % at first and 0.1 % each ten seconds: full in an hour, which is less than four days in faster time.
    _writer(site, "filling", 40, "f.write(bytes(1 << 16)); f.flush()")


def _no_volumes(_: Site) -> None:
    for name in ("full", "filling"):
        kubectl("-n", APP, "delete", "pod", name, "--ignore-not-found", "--grace-period=1")
        gone(APP, "pvc", name)
        gone(APP, "pv", f"mon-{name}")
        sh("umount", str(FOLDER / "volumes" / name), check=False)


def _backup_suspended(_: Site) -> float:
    """Each minute at first, so that it is late after two minutes, which is two hours in faster time."""
    kubectl("-n", STORES, "patch", "cronjob", "backup", "-p", '{"spec": {"schedule": "* * * * *", "suspend": false}}')
    watch = Watch(WATCHES[60])
    wait_until("a backup", lambda: "BackupMissed" not in watch.firing(), 240)
    kubectl("-n", STORES, "patch", "cronjob", "backup", "-p", '{"spec": {"suspend": true}}')
    return time.time()


def _backup(_: Site) -> None:
    kubectl("-n", STORES, "patch", "cronjob", "backup", "-p", '{"spec": {"suspend": false}}')


def _backup_rare(site: Site) -> None:
    """One minute's backup is enough to be resolved; after it each half hour again."""
    _backup(site)
    watch = Watch(WATCHES[60])
    wait_until("a backup", lambda: "BackupMissed" not in watch.firing(), 240)
    kubectl("-n", STORES, "patch", "cronjob", "backup", "-p", '{"spec": {"schedule": "*/30 * * * *"}}')


def _ends_in(name: str, hours: float) -> Callable[[Site], object]:
    """An own host with an own certificate: Traefik goes on showing those that a host had before."""

    def start(_: Site) -> None:
        host = f"{name}.{HOST}"
        secret(APP, f"{name}-tls", **certificate(host, hours))
        backend = {"service": {"name": "web", "port": {"name": "http"}}}
        rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
        applied({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name, "namespace": APP},
                 "spec": {"ingressClassName": "traefik", "tls": [{"hosts": [host], "secretName": f"{name}-tls"}],
                          "rules": [rule]}})  # fmt: skip

    return start


def _renewed(name: str) -> Callable[[Site], object]:
    return lambda _: secret(APP, f"{name}-tls", **certificate(f"{name}.{HOST}", hours=24 * 90))


def _processes(uid: str) -> list[int]:
    """The pod's own processes on the node, by its control group."""
    names = (uid, uid.replace("-", "_"))
    found = []
    for path in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            group, command = path.read_text(), path.with_name("cmdline").read_text()
        except OSError:
            continue
        if any(name in group for name in names) and "services." in command:
            found.append(int(path.parent.name))
    return found


def _signal(part: str, which: signal.Signals, most: int = 1) -> None:
    pods = get(APP, "pods", "-l", f"app.kubernetes.io/component={part}")["items"]
    for each in sorted(pods, key=lambda one: str(one["metadata"]["name"]))[:most]:
        for process in _processes(each["metadata"]["uid"]):
            os.kill(process, which)


def _hangs(_: Site) -> float:
    """The second pod of inference is stopped; its liveness probe is off, as where somebody looks for a fault."""
    probe = '[{"op": "remove", "path": "/spec/template/spec/containers/0/livenessProbe"}]'
    kubectl("-n", APP, "scale", "deployment/inference", "--replicas=2")
    kubectl("-n", APP, "patch", "deployment", "inference", "--type=json", "-p", probe)
    kubectl("-n", APP, "rollout", "status", "deployment/inference", "--timeout=240s")
    # The pods of before are gone and both new ones are scraped.
    time.sleep(40)
    _signal("inference", signal.SIGSTOP)
    return time.time()


def _goes_on(_: Site) -> None:
    _signal("inference", signal.SIGCONT, 9)
    kubectl("-n", APP, "scale", "deployment/inference", "--replicas=1")


def _promoter(site: Site) -> None:
    """A promoter whose Git can't be reached: nothing of the namespace is let out to it."""
    found = {"prometheus.io/scrape": "true", "prometheus.io/port": "8002", "prometheus.io/path": "/metrics"}
    labels = {"app.kubernetes.io/name": "hilum", "app.kubernetes.io/component": "promoter",
              "hilum.io/environment": "production"}  # fmt: skip
    image = f"{site.images['promoter']['repository']}@{site.images['promoter']['digest']}"
    made = pod("promoter", WATCH, ["python", "-m", "services.promoter"], image=image, labels=labels,
               annotations=found, memory="400Mi")  # fmt: skip
    settings = {
        "HILUM_HOST": "0.0.0.0",
        "HILUM_PORT": "8002", "HILUM_DATA": "/tmp/promoter",
        "HILUM_PROMOTER_GIT": "http://172.31.255.1:3000/mon.git",
        "HILUM_RELEASE_STORE": "s3://hilum-releases", "HILUM_PROMOTER_RECORDS": "s3://hilum-releases/records",
        "HILUM_S3_ENDPOINT": f"http://minio.{STORES}.svc:9000", "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none", "AWS_REGION": "us-east-1",
    }  # fmt: skip
    made["spec"]["containers"][0]["env"] = [{"name": name, "value": value} for name, value in settings.items()]
    applied(made)


FAULTS = [
    Fault("the promoter's Git does not answer", 0, ("PromoterStuck",), _promoter,
          lambda _: gone(WATCH, "pod", "promoter"), minutes=22),
    Fault("a site's own rule matches many to many", 0, ("RulesFail",), _many_to_many,
          lambda _: gone(WATCH, "pod", "many"), rest_minutes=8),
    Fault("a stand-in for DCGM's exporter reports XID 79 (there is no GPU)", 0, ("GpuError",), _gpu,
          lambda _: gone(WATCH, "pod", "dcgm")),
    Fault("one volume is 97 % full, another is being filled", 0, ("VolumeNearlyFull",), _volumes, _no_volumes,
          fast={60: ("VolumeFilling",)}, minutes=25),
    Fault("backups are suspended", 1, (), _backup_suspended, _backup_rare, fast={60: ("BackupMissed",)}, minutes=12),
    Fault("the certificate at the door ends within two weeks", 0, ("CertificateExpires",), lambda _: None,
          lambda _: secret(APP, "hilum-tls", **certificate(HOST, hours=24 * 90)), minutes=75),
    Fault("a certificate ends within a day", 0, ("CertificateExpired",), _ends_in("today", 20), _renewed("today"),
          minutes=10),
    Fault("a certificate ends within ten days", 0, (), _ends_in("soon", 4), _renewed("soon"),
          fast={60: ("CertificateExpires",)}, minutes=12),
    Fault("one of two pods of inference hangs, and has no liveness probe", 3, ("PodDown",), _hangs, _goes_on,
          lane="inference", minutes=12),
]  # fmt: skip
