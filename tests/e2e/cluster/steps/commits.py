"""The cluster changes by commits alone, and what is wrong in one changes nothing that runs."""

from __future__ import annotations

import json
import os
import time

from tests.e2e.cluster.kube import application, get, kubectl, refresh, sh, wait_until
from tests.e2e.cluster.load import Load
from tests.e2e.cluster.site import GIT_SECONDS, PRODUCTION, Site, pods, ready, scored, send

VALUES = "argocd/environments/production/values.yaml"
BUNDLE = "argocd/environments/production/bundle.yaml"


def drift_made_by_hand_is_healed(_: Site) -> str:
    kubectl("-n", PRODUCTION, "scale", "deployment/feedback", "--replicas=1")

    def healed() -> bool:
        return bool(get(PRODUCTION, "deployment", "feedback")["spec"]["replicas"] == 2)

    return f"feedback scaled to 1 by hand is back at 2 after {wait_until('healing', healed, GIT_SECONDS):.0f} s"


def a_commit_scales(site: Site) -> str:
    site.tree.change(VALUES, r"(?m)^(feedback:\n(?:  .*\n)*?)  replicas: 2", r"\g<1>  replicas: 3")
    site.tree.commit("feedback: three replicas")
    took = site.settled()
    running = sum(ready(pod) for pod in pods("feedback"))
    assert running == 3, running
    site.tree.revert()
    site.settled()
    return f"feedback's three replicas are ready {took:.0f} s after the commit; back at two by its revert"


def a_commit_changes_a_setting(site: Site) -> str:
    site.tree.change(VALUES, r"(?m)^web:\n", 'web:\n  settings: {HILUM_WAIT_CRITICAL_MINUTES: "14"}\n')
    site.tree.commit("Critical studies within 14 minutes")
    took = site.settled()
    kubectl("-n", PRODUCTION, "rollout", "status", "deployment/web", "--timeout=180s")
    (value,) = {
        entry["value"]
        for pod in pods("web")
        if ready(pod)
        for entry in pod["spec"]["containers"][0]["env"]
        if entry["name"] == "HILUM_WAIT_CRITICAL_MINUTES"
    }
    assert value == "14"
    return f"every web pod has the setting {took:.0f} s after the commit"


def a_broken_values_file_is_refused_and_what_runs_keeps_running(site: Site) -> str:
    before = get(PRODUCTION, "deployment", "web")["metadata"]["generation"]
    site.tree.change(VALUES, r"(?m)^web:\n", "web:\n  replica: 3\n")
    site.tree.commit("A typo")
    refresh(PRODUCTION)

    def told() -> bool:
        conditions = get("argocd", "application", PRODUCTION).get("status", {}).get("conditions", [])
        return any("additional properties 'replica' not allowed" in c.get("message", "") for c in conditions)

    took = wait_until("the schema's refusal in the Application", told, GIT_SECONDS)
    assert get(PRODUCTION, "deployment", "web")["metadata"]["generation"] == before
    site.client().get("/v1/studies").raise_for_status()
    site.tree.revert()
    healed = site.settled()
    return (
        f"refused by the schema after {took:.0f} s, named in the Application; nothing changed; "
        f"good again {healed:.0f} s after the revert"
    )


def a_bad_image_leaves_production_serving(site: Site) -> str:
    with Load(site, "BAD") as load:
        site.tree.change(BUNDLE, r'((?:inference|web): \{.*digest: "sha256:)[0-9a-f]{8}', r"\g<1>00000000")
        site.tree.commit("Images that are not there")
        refresh(PRODUCTION)

        def failing() -> bool:
            states = [
                state.get("state", {}).get("waiting", {}).get("reason", "")
                for pod in (*pods("inference"), *pods("web"))
                for key in ("initContainerStatuses", "containerStatuses")
                for state in pod.get("status", {}).get(key, [])
            ]
            return any("Pull" in reason for reason in states)

        wait_until("the new pods' failure", failing, GIT_SECONDS)
        fresh, answer = send(site.client(), "BAD")
        assert answer.status_code == 201
        scored(site.client(), [fresh])
        site.tree.revert()
        took = site.settled(seconds=3 * GIT_SECONDS)
    return (
        f"the new pods never became ready, the old ones served; good again {took:.0f} s after the revert: "
        f"{load.accounted()}"
    )


def new_images_under_load_fail_no_request(site: Site) -> str:
    """Each image again with another label: another digest, the same program."""
    began, images = time.monotonic(), dict(site.memory["images"])
    for part in ("web", "feedback", "inference"):
        images[part] = relabelled(images[part])
    with Load(site, "ROLL") as load:
        site.tree.publish({part: images[part] for part in ("web", "feedback", "inference")}, "production")
        site.tree.commit("New images")
        took = site.settled(seconds=3 * GIT_SECONDS)
        wanted = {part: f"{image['repository']}@{image['digest']}" for part, image in images.items()}

        def replaced() -> bool:
            return all(
                {pod["spec"]["containers"][0]["image"] for pod in pods(part) if ready(pod)} == {wanted[part]}
                for part in ("web", "feedback")
            ) and wanted["inference"] in {
                pod["spec"]["containers"][0]["image"] for pod in pods("inference") if ready(pod)
            }

        wait_until("new pods everywhere", replaced, GIT_SECONDS)
        time.sleep(10)
    site.remember(images=images)
    whole = time.monotonic() - began
    return (
        f"web, feedback and inference replaced {took:.0f} s after the commit ({whole:.0f} s in all): {load.accounted()}"
    )


def relabelled(image: dict[str, str]) -> dict[str, str]:
    """The same image with a label of now, pushed: a digest that never was."""
    verify = f"--tls-verify={os.environ.get('TLS_VERIFY', 'false')}"
    container = sh("buildah", "from", verify, f"{image['repository']}@{image['digest']}").strip()
    try:
        sh("buildah", "config", "--label", f"org.hilum.e2e={time.time_ns()}", container)
        made = sh("buildah", "commit", "--quiet", container).strip()
    finally:
        sh("buildah", "rm", container)
    digest = sh("mktemp").strip()
    sh("buildah", "push", "--quiet", verify, "--digestfile", digest, made, f"docker://{image['repository']}:e2e")
    return {"repository": image["repository"], "digest": sh("cat", digest).strip()}


def a_removed_environment_loses_nothing(site: Site) -> str:
    names = ("pods", "services", "secrets", "rollouts.argoproj.io")
    before = {name: len(get("hilum-staging", name)["items"]) for name in names}
    volumes = len(get("platform", "pvc")["items"])
    site.tree.remove("argocd/environments/staging")
    site.tree.commit("Staging goes")
    refresh("hilum")
    time.sleep(60)
    after = {name: len(get("hilum-staging", name)["items"]) for name in names}
    assert after == before
    assert len(get("platform", "pvc")["items"]) == volumes
    assert application("hilum-staging") != ("?", "?"), "the Application went too"
    site.tree.revert()
    site.settled("hilum-staging")
    return f"a minute after staging's folder was removed from Git, {json.dumps(before)} stay"
