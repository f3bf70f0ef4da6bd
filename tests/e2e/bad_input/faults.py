"""Each kind of bad input: the values that are wrong, where an engineer looks, and the words that must stand there."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from tests.e2e.bad_input.ground import NAMESPACE, Ground
from tests.e2e.cluster.kube import kubectl, wait_until

STRANGER = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
SECONDS = 240
Looks = Callable[[Ground], str]


@dataclass(frozen=True)
class Fault:
    """`given`: values as `--set` takes them. `words`: a regular expression that what is found must match."""

    what: str
    where: str
    words: str
    given: tuple[str, ...] = ()
    look: Looks | None = None


def init_container(ground: Ground) -> str:
    """What the container that fetches the release says, or why it was not even started."""
    for status in ground.newcomer().get("status", {}).get("initContainerStatuses", []):
        for state in (status["state"], status.get("lastState", {})):
            if words := state.get("terminated", {}).get("message", ""):
                return str(words).strip().splitlines()[-1]
            if words := state.get("waiting", {}).get("message", ""):
                return str(words).strip()
    return ""


def server(ground: Ground) -> str:
    """With what the server itself ended."""
    for status in ground.newcomer().get("status", {}).get("containerStatuses", []):
        for state in (status["state"], status.get("lastState", {})):
            if words := state.get("terminated", {}).get("message", ""):
                return " ".join(str(words).split())
    return ""


def scheduler(ground: Ground) -> str:
    """Why no node takes the pod."""
    for condition in ground.newcomer().get("status", {}).get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return str(condition["message"])
    return ""


def not_ready(ground: Ground) -> str:
    """What /readyz of the new pod says."""
    name = ground.newcomer().get("metadata", {}).get("name", "")
    process = subprocess.Popen(
        ["kubectl", "-n", NAMESPACE, "port-forward", f"pod/{name}", ":8000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
        if not found:
            return ""
        answer = httpx.get(f"http://127.0.0.1:{found.group(1)}/readyz", timeout=10)
        return answer.text if answer.status_code == 503 else ""
    finally:
        process.terminate()
        process.wait(10)


def replica_set(_: Ground) -> str:
    """Why the API takes no pod."""
    reason = "--field-selector=reason=FailedCreate"
    said = kubectl("-n", NAMESPACE, "get", "events", reason, "-o", "jsonpath={.items[-1:].message}")
    return said.strip()


HELM = "helm's error; in GitOps the Application's condition"
INIT = "`kubectl describe pod`: the termination message of the init container `release`"
FAULTS = (
    Fault("a value with a typo", HELM, "additional properties 'replicaz' not allowed", ("inference.replicaz=2",)),
    Fault("a value of the wrong type", HELM, "got string, want integer", ("inference.replicas=two",)),
    Fault("no release named", HELM, "bundle.release.digest is empty", ("bundle.release.digest=",)),
    Fault("an image without a digest", HELM, "images run by digest alone", ("bundle.images.inference.digest=",)),
    Fault("a GPU resource that is none", HELM, "/inference/gpu/resource", ("inference.gpu.resource=gpu",)),
    Fault(
        "a GPU resource that no node has",
        "`kubectl describe pod`: the condition PodScheduled",
        "Insufficient nvidia.com/gpus",
        ("inference.gpu.enabled=true", "inference.gpu.resource=nvidia.com/gpus"),
        scheduler,
    ),
    Fault(
        "a runtime class that is not there",
        "`kubectl describe replicaset`: the event FailedCreate",
        'RuntimeClass "nvidea" not found',
        ("inference.gpu.enabled=true", "inference.gpu.runtimeClassName=nvidea"),
        replica_set,
    ),
    Fault(
        "a Secret that is missing",
        "`kubectl describe pod`: why `release` waits (CreateContainerConfigError)",
        'secret "nobodys" not found',
        ("releaseStore.secret=nobodys",),
        init_container,
    ),
    Fault(
        "wrong keys to the store",
        INIT,
        "the service refuses: SignatureDoesNotMatch",
        ("releaseStore.secret=wrong-keys",),
        init_container,
    ),
    Fault(
        "an unknown release digest",
        INIT,
        "the store holds no release 0{64}",
        ("bundle.release.digest=" + "0" * 64,),
        init_container,
    ),
    Fault(
        "a signature by a key that is not trusted",
        INIT,
        "signed by a key that is not trusted here",
        (f"releaseStore.trustedKeys={STRANGER}",),
        init_container,
    ),
    Fault(
        "a store that can't be reached",
        INIT,
        "bucket hilum-releases at http://store:9999: can't read: ",
        ("releaseStore.endpoint=http://store:9999",),
        init_container,
    ),
    Fault(
        "a bucket that is not there",
        INIT,
        "the bucket doesn't exist",
        ("releaseStore.url=s3://hilum-nowhere",),
        init_container,
    ),
    Fault(
        "a setting that is no number",
        "`kubectl describe pod`: the termination message of `inference`",
        "HILUM_WORKERS",
        ("inference.settings.HILUM_WORKERS=many",),
        server,
    ),
    Fault(
        "a precision that the release lacks",
        "`/readyz` of the new pod",
        "bf16",
        ("bundle.release.precision=bf16",),
        not_ready,
    ),
    Fault(
        "GPU values with the CPU image",
        "`/readyz` of the new pod",
        "cuda",
        ("inference.gpu.enabled=true", "inference.settings.HILUM_PROVIDER=cuda"),
        not_ready,
    ),
)


def meet(fault: Fault, ground: Ground) -> str:
    """Make the fault, find its words where they must stand, and leave everything as it was. Gives the words."""
    before = ground.revision()
    given = [text for pair in fault.given for text in ("--set", pair)]
    done = ground.upgrade(*given)
    if fault.look is None:
        assert done.returncode != 0, "helm took it"
        assert ground.revision() == before, "something reached the cluster"
        assert ground.serves()
        return sentence(fault, done.stderr)
    assert done.returncode == 0, done.stderr
    look, said = fault.look, ""
    assert look is not None

    def told() -> bool:
        nonlocal said
        said = look(ground)
        return bool(re.search(fault.words, said))

    try:
        wait_until(f"{fault.words!r} where {fault.where} (it says {said!r})", told, SECONDS)
    except AssertionError as error:
        raise AssertionError(f"{error}; it said: {said[:600]}") from None
    assert ground.serves(), "what ran before no longer serves"
    ground.back()
    return sentence(fault, said)


def sentence(fault: Fault, text: str) -> str:
    """The line that holds the words, short enough for a table."""
    (line,) = [line for line in text.splitlines() if re.search(fault.words, line)][:1] or [text]
    return " ".join(line.split()).removeprefix("- ")[:240]
