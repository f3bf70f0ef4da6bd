"""The promoter as the chart runs it: in the cluster, with its account, its policies and its credentials."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hilum.release import read_manifest, read_release
from hilum.release.signing import public_text
from services.promoter.tokens import sha256
from tests.e2e.alerts.site import applied, secret
from tests.e2e.cluster.kube import ROOT, get, kubectl, sh, wait_until
from tests.e2e.cluster.site import forwarded
from tests.e2e.operators.site import FOLDER, ROOM, STORES, Site
from tests.e2e.promotion import candidates, values

REMOTE = os.environ.get("E2E_GIT", "http://172.31.255.1:3000/ops-operators.git")
TOKEN = "hilum_ops"
MODEL = "hilum-default"
ENVIRONMENTS = ("staging", "canary", "production")


def rights() -> None:
    """k8s/bootstrap/promoter.yaml under this site's names."""
    text = (ROOT / "k8s/bootstrap/promoter.yaml").read_text(encoding="utf-8")
    apps = [f"[{', '.join(f'{prefix}-{name}' for name in ENVIRONMENTS)}]" for prefix in ("hilum", "ops")]
    for old, new in (("namespace: hilum-", "namespace: ops-"), (apps[0], apps[1]),
                     ("name: hilum-promoter", "name: ops-promoter")):  # fmt: skip
        text = text.replace(old, new)
    applied(*[document for document in yaml.safe_load_all(text) if document])


def plant(site: Site, key: str) -> str:
    """A repository with this site's environments on the cluster's Git server; its commit."""
    tree = FOLDER / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    sh("git", "init", "--quiet", "--initial-branch=main", str(tree))
    digest = read_manifest(ROOT / "models/default").digest()
    values.write(tree, values.files(key, digest, {"inference": site.image("inference")}, "main"))
    who = ("-c", "user.name=e2e", "-c", "user.email=e2e@example.org")
    sh("git", "-C", str(tree), "add", "--all")
    sh("git", "-C", str(tree), *who, "commit", "--quiet", "--message", "What this site runs")
    sh("git", "-C", str(tree), "push", "--quiet", "--force", REMOTE, "main")
    return sh("git", "-C", str(tree), "rev-parse", "HEAD").strip()


def commits() -> list[str]:
    """Subject and author of each commit on the server, the newest first."""
    clone = FOLDER / "look"
    shutil.rmtree(clone, ignore_errors=True)
    sh("git", "clone", "--quiet", REMOTE, str(clone))
    return sh("git", "-C", str(clone), "log", "--format=%s (%an)", "main").strip().splitlines()


def changed() -> list[str]:
    """The files of the newest commit."""
    return sh("git", "-C", str(FOLDER / "look"), "show", "--format=", "--name-only", "HEAD").split()


def may(verb: str, what: str, where: str) -> bool:
    """Whether the promoter's account may do that."""
    who = f"--as=system:serviceaccount:{ROOM}:promoter"
    return kubectl("auth", "can-i", verb, what, "-n", where, who, check=False).strip() == "yes"


def the_promoter_runs_in_the_cluster_commits_and_may_do_no_more(site: Site) -> str:
    """A candidate in MLflow becomes one commit on the cluster's Git server; canary's evidence is asked from its pod."""
    rights()
    place = FOLDER / "release.key"
    if not place.exists():
        private = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        place.write_bytes(private)
    key = serialization.load_pem_private_key(place.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    folder = FOLDER / "candidate"
    shutil.rmtree(folder, ignore_errors=True)
    release = candidates.make(folder, "9.0.0", key)
    planted = plant(site, public_text(key))
    lines = (ROOT / "charts/hilum/files/trusted-keys.txt").read_text(encoding="utf-8").splitlines()
    keys = "\n".join([*[line for line in lines if line and not line.startswith("#")], public_text(key)])
    # The reading room's own word for a machine that asks for evidence, made as docs/security.md says.
    token = web_token(site)
    secret(ROOM, "hilum-promoter", mlflow__token=f"promoter:{site.memory['mlflow']}", web__token=token,
           git__token="bot:of-a-server-that-asks-none", tokens=f"anna read,act {sha256(TOKEN)}\n")  # fmt: skip
    address = get("default", "endpoints", "kubernetes")["subsets"][0]["addresses"][0]["ip"]
    with forwarded(STORES, "mlflow", 5000) as mlflow:
        register(site, mlflow, folder)
    site.install(
        "web", "promoter",
        releaseStore={"trustedKeys": keys},
        promoter={
            "enabled": True, "git": {"url": REMOTE}, "mlflow": f"http://mlflow.{STORES}.svc:5000", "prometheus": "",
            "secretKeys": ["git-token", "mlflow-token", "web-token", "tokens"],
            "settings": {"HILUM_PROMOTER_PREFIX": "ops", "HILUM_PROMOTER_SECONDS": "3"},
        },
        networkPolicy={"promoter": {"cidrs": [f"{address}/32"], "ports": [3000, 6443]}},
    )  # fmt: skip
    wait_until("the promoter's commit", lambda: len(commits()) > 1, 400)
    made = commits()
    assert len(made) == 2, made
    files = changed()
    assert set(files) == {"argocd/environments/staging/bundle.yaml", "argocd/environments/promotion.json"}, files
    bundle = (FOLDER / "look" / files[1]).read_text(encoding="utf-8")
    assert release.digest in bundle
    asked = inside(
        "evidence", f"http://web:8080/v1/evidence?live={'a' * 64}&shadow={'b' * 64}", "/etc/hilum/promoter/web-token"
    )
    anonymous = inside("evidence without a token", f"http://web:8080/v1/evidence?live={'a' * 64}&shadow={'b' * 64}", "")
    assert anonymous in ("401", "403"), anonymous
    database = inside("PostgreSQL", f"http://postgresql.{STORES}.svc:5432/", "")
    refused = [inside(part, f"http://{part}/healthz", "") for part in ("feedback:8001", "inference:8000")]
    assert "200" not in refused, refused
    yes = [
        ("get", "rollouts.argoproj.io", ROOM),
        ("list", "analysisruns.argoproj.io", "ops-staging"),
        ("list", "pods", "ops-canary"),
    ]
    no = [
        ("get", "secrets", ROOM), ("patch", "rollouts.argoproj.io", ROOM), ("create", "pods", ROOM),
        ("delete", "pods", ROOM),
        ("patch", "applications.argoproj.io", "argocd"), ("list", "pods", "kube-system"), ("get", "secrets", "argocd"),
    ]  # fmt: skip
    assert all(may(*one) for one in yes), [one for one in yes if not may(*one)]
    assert not any(may(*one) for one in no), [one for one in no if may(*one)]
    assert may("get", "applications.argoproj.io/ops-staging", "argocd")
    with forwarded(ROOM, "promoter", 8002) as promoter:
        state = sh(".venv/bin/hilum", "promote", "status", HILUM_PROMOTER_URL=promoter, HILUM_PROMOTER_TOKEN=TOKEN)
    first = state.strip().splitlines()[0]
    return (
        f"one commit on {planted[:8]}: {made[0]!r}, files {', '.join(files)}; hilum promote status: {first!r}; from "
        f"its pod evidence {asked} (without token {anonymous}), feedback and inference {refused}, PostgreSQL "
        f"{database}; "
        f"can-i: {len(yes) + 1} reads yes, {len(no)} others no"
    )


def inside(what: str, url: str, token: str) -> str:
    """What the promoter's pod is answered: a status, or the error's kind."""
    program = (
        "import sys, urllib.request as u, urllib.error as e\n"
        "token = open(sys.argv[2]).read().strip() if sys.argv[2] else ''\n"
        "head = {'Authorization': 'Bearer ' + token} if token else {}\n"
        "try: print(u.urlopen(u.Request(sys.argv[1], headers=head), timeout=5).status)\n"
        "except e.HTTPError as error: print(error.code)\n"
        "except Exception as error: print(type(getattr(error, 'reason', error)).__name__)\n"
    )
    said = kubectl("-n", ROOM, "exec", "deployment/promoter", "--", "python", "-c", program, url, token)
    assert said.strip(), what
    return said.strip()


def register(site: Site, mlflow: str, folder: Path) -> None:
    """As a data scientist does it: registered, with the alias `candidate`."""
    from training.registry import register as registered
    from training.tracking.place import client, place

    os.environ |= {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": site.memory["mlflow"],
                   "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false"}  # fmt: skip
    where = place(mlflow, FOLDER / "registry")
    made = registered(client(where), where, read_release(folder, None))
    client(where).set_registered_model_alias(MODEL, "candidate", made.version.number)


def web_token(site: Site) -> str:
    """A token for evidence:read, made as docs/security.md says; a name is used once."""
    with forwarded(STORES, "postgresql", 5432) as address:
        where = site.database()["web-url"].replace(f"postgresql.{STORES}.svc:5432", address.removeprefix("http://"))
        name = f"promoter-{secrets.token_hex(4)}"
        said = sh(".venv/bin/hilum", "tokens", "add", name, "--scope", "evidence:read", HILUM_DATABASE_URL=where)
    return next(word for word in said.split() if word.startswith("hilum_"))
