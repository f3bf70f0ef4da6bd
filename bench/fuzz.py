"""Mutated requests, bombs and floods against a real process of the inference service: `make fuzz`.

    python -m bench.fuzz [--cases 12000] [--seed 20261121] [--uploads 1000]

Every answer is judged: a success, or a refusal as a whole problem document; of 5xx only a 503 that says when to come
back; in time; and afterwards the process still gives the golden film's probabilities, in bounded memory. Results go to
docs/benchmarks/fuzz-<machine>.csv; the exit status is 1 where anything was found.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import httpx

from bench import machine
from bench.fuzz_bodies import FORM, Case, bombs, cases
from hilum.wire import ModelInfo, Prediction
from services.inference.rpc import open_inference_pb2 as pb

ROOT = Path(__file__).resolve().parent.parent
INFER = "/inference.GRPCInferenceService/ModelInfer"
# No answer may take longer; the service's own deadline for a film is 10 s.
ANSWER_SECONDS = 30.0
ALLOWED_GRPC = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED", "UNAVAILABLE"}


@dataclass(frozen=True)
class Target:
    """A running service."""

    pid: int
    url: str
    grpc: str
    model: str = ""

    def resident(self, what: str = "VmRSS") -> int:
        """Bytes of memory: VmRSS now, VmHWM at its highest."""
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith(what):
                return int(line.split()[1]) * 1024
        return 0


@dataclass
class Result:
    """What came back: answers by kind and status, the slowest, and what should not be."""

    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    slowest: dict[str, float] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)

    def note(self, kind: str, status: str, seconds: float, wrong: str | None, number: int) -> None:
        """Count one answer."""
        self.answers[kind, status] += 1
        self.slowest[kind] = max(seconds, self.slowest.get(kind, 0.0))
        if wrong is not None:
            self.found.append(f"{kind} #{number}: {wrong}")


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running(**environment: str) -> Iterator[Target]:
    """`python -m services.inference` as its own process, ready."""
    http, rpc = free_port(), free_port()
    env = {
        **os.environ,
        "HILUM_PORT": str(http),
        "HILUM_GRPC_PORT": str(rpc),
        "HILUM_LOG_LEVEL": "error",
        **environment,
    }
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([sys.executable, "-m", "services.inference"], cwd=ROOT, env=env, stderr=log)
        try:
            url = f"http://127.0.0.1:{http}"
            for _ in range(1200):
                try:
                    if httpx.get(f"{url}/readyz").status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                if process.poll() is not None:
                    raise RuntimeError(f"the service ended at its start ({process.returncode})")
                time.sleep(0.1)
            model = ModelInfo.model_validate_json(httpx.get(f"{url}/v1/model").content).release.name
            yield Target(process.pid, url, f"127.0.0.1:{rpc}", model)
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


def judge(answer: httpx.Response) -> str | None:
    """What is wrong with an answer; None where nothing is."""
    status = answer.status_code
    if status < 400:
        if answer.headers["content-type"] == "application/json":
            json.loads(answer.content, parse_constant=lambda text: (_ for _ in ()).throw(ValueError(text)))
        return None
    if status >= 500 and not (status == 503 and answer.headers.get("retry-after", "").isdigit()):
        return f"status {status}: {answer.text[:200]}"
    if answer.headers.get("content-type") != "application/problem+json":
        return f"status {status} is no problem document: {answer.headers.get('content-type')}"
    document = answer.json()
    detail = document.get("detail")
    whole = document.get("status") == status and document.get("title") and str(document.get("type")).startswith("urn:")
    if not (whole and isinstance(detail, str) and 0 < len(detail) <= 600 and "\n" not in detail):
        return f"status {status} with a problem document that is not whole: {answer.text[:200]}"
    return None


async def _ask(
    client: httpx.AsyncClient, infer: grpc.aio.UnaryUnaryMultiCallable, target: Target, case: Case
) -> tuple[str, str | None]:
    if case.grpc:
        body = pb.ModelInferRequest(model_name=target.model).SerializeToString() + case.body
        try:
            await infer(body, timeout=ANSWER_SECONDS)
        except grpc.aio.AioRpcError as error:
            name = error.code().name
            return name, None if name in ALLOWED_GRPC and error.details() else f"gRPC {name}: {error.details()}"
        return "OK", None
    headers = {"content-type": case.content_type, **dict(case.headers)}
    try:
        answer = await client.post(case.path.format(model=target.model), content=case.body, headers=headers)
    except httpx.TransportError as error:
        return type(error).__name__, f"no answer: {type(error).__name__} {error}"
    return str(answer.status_code), judge(answer)


async def send(target: Target, requests: Iterable[Case], result: Result, parallel: int = 4) -> None:
    """Send every request, `parallel` at a time, and judge its answer."""
    numbered = enumerate(requests)

    async with (
        httpx.AsyncClient(base_url=target.url, timeout=ANSWER_SECONDS, trust_env=False) as client,
        grpc.aio.insecure_channel(target.grpc) as channel,
    ):
        infer = channel.unary_unary(INFER)

        async def work() -> None:
            for number, case in numbered:
                began = time.perf_counter()
                status, wrong = await _ask(client, infer, target, case)
                result.note(case.kind, status, time.perf_counter() - began, wrong, number)

        await asyncio.gather(*(work() for _ in range(parallel)))


async def flood(target: Target, uploads: int, size: int, result: Result) -> None:
    """`uploads` connections at once that each send a body of `size` bytes, until they are answered."""
    port = int(target.url.rpartition(":")[2])
    top = (
        (f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: {size}\r\n\r\n").encode()
        + f'--{FORM.partition("=")[2]}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'.encode()
    )
    piece = bytes(262_144)

    async def upload(number: int) -> None:
        began = time.perf_counter()
        status, wrong = "none", None
        try:
            async with asyncio.timeout(600):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                answer = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
                sent = len(top.partition(b"\r\n\r\n")[2])
                writer.write(top)
                while sent < size and not answer.done():
                    writer.write(piece[: size - sent])
                    sent += len(piece[: size - sent])
                    await writer.drain()
                text = (await answer).decode("latin-1").lower()
                status = text.split()[1]
                if status not in {"200", "400", "415", "422", "503"} or (
                    status == "503" and "retry-after:" not in text
                ):
                    wrong = f"answered {status}"
                writer.close()
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            # A refused sender who goes on sending may see a reset instead of his answer; nobody else may.
            status = type(error).__name__
            wrong = None if isinstance(error, ConnectionError) else f"no answer: {status}"
        result.note("flood", status, time.perf_counter() - began, wrong, number)

    await asyncio.gather(*(upload(number) for number in range(uploads)))


def still_sound(target: Target, result: Result) -> None:
    """The golden film must score as the release says."""
    with httpx.Client(base_url=target.url, timeout=60, trust_env=False) as client:
        for _ in range(60):
            answer = client.post("/v1/predict", files={"file": client.get("/v1/model/golden-film").content})
            if answer.status_code != 503:
                break
            time.sleep(1)
        given = {f.name: f.probability for f in Prediction.model_validate_json(answer.content).findings}
        golden = ModelInfo.model_validate_json(client.get("/v1/model").content).golden
        if any(abs(given[name] - value) > 1e-3 for name, value in golden.items()):
            result.found.append("the golden film scores otherwise than before")


def write(path: Path, result: Result, memory: dict[str, int], settings: str) -> None:
    """The table of answers, with what it was measured on."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        stream.write(f"# {machine.describe()}; {settings}\n")
        stream.write("# " + "; ".join(f"{name} {value / 1e6:.0f} MB" for name, value in memory.items()) + "\n")
        stream.write(f"# found: {len(result.found)}\n")
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["kind", "status", "answers", "slowest_seconds_of_kind"])
        for (kind, status), count in sorted(result.answers.items()):
            writer.writerow([kind, status, count, f"{result.slowest[kind]:.2f}"])


def main() -> None:
    """Run all of it and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=20_261_121)
    parser.add_argument("--uploads", type=int, default=1_000)
    parser.add_argument("--upload-bytes", type=int, default=64_000_000)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks" / f"fuzz-{machine.slug()}.csv")
    given = parser.parse_args()
    result, memory = Result(), {}
    with running() as target:
        asyncio.run(send(target, cases(given.seed + 1, 800), Result()))
        memory["warm"] = target.resident()
        asyncio.run(send(target, cases(given.seed, given.cases), result))
        memory["after the mutated requests"] = target.resident()
        asyncio.run(send(target, bombs(), result, parallel=2))
        memory["highest, bombs included"] = target.resident("VmHWM")
        asyncio.run(flood(target, given.uploads, given.upload_bytes, result))
        memory["highest, flood included"] = target.resident("VmHWM")
        time.sleep(5)
        memory["at the end"] = target.resident()
        still_sound(target, result)
    said = f"seed {given.seed}, {given.cases} requests, {given.uploads} uploads of {given.upload_bytes} bytes at once"
    write(given.out, result, memory, said)
    sys.stdout.write(given.out.read_text(encoding="utf-8") + "\n".join(result.found[:50]) + "\n")
    sys.exit(1 if result.found else 0)


if __name__ == "__main__":
    main()
