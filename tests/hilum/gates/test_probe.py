"""The prober: right and wrong answers, a service that goes away, and no connection that outlives a switch."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from prometheus_client import REGISTRY
from starlette.types import ASGIApp, Receive, Scope, Send

from hilum.clients.base import over_network
from hilum.gates.probe import SYNTHETIC, Target, keep_previous, main, pods_of, probe
from services.inference.app import create_app
from services.inference.settings import InferenceSettings
from tests.releases import make_tiny_release
from tests.servers import serve


def count(name: str, target: str, release: str) -> float | None:
    """A counter's value; None where the series is not there."""
    return REGISTRY.get_sample_value(
        name, {"target": target, "release": release, "pods": pods_of(socket.gethostname())}
    )


def app_of(folder: Path) -> ASGIApp:
    """A served release."""
    return create_app(InferenceSettings.model_validate({"release": folder, "trusted_keys": ""}))


async def until_learned(target: Target) -> None:
    """A release takes a moment to load."""
    for _ in range(200):
        if await probe(target) and target.info is not None:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the target was not reached")


def test_right_answers_and_failures_are_counted_by_release_and_in_no_statistic_of_films(tmp_path: Path) -> None:
    release = make_tiny_release(tmp_path / "one", version="3.0.0")
    labels = {"finding": "Effusion", "release": release.digest, "precision": "fp32"}

    async def work(url: str) -> None:
        async with over_network(url) as http:
            http.headers.update(SYNTHETIC)
            target = Target("preview", http)
            await until_learned(target)
            assert target.info is not None
            # As a service that scores otherwise than its release says: another preprocessing, another model.
            target.info.golden["Effusion"] = 0.999
            assert not await probe(target)

    with serve(app_of(release.folder)) as server:
        asyncio.run(work(server.url))
    assert count("hilum_probes_total", "preview", release.digest) == 2
    assert count("hilum_probe_failures_total", "preview", release.digest) == 1
    assert REGISTRY.get_sample_value("hilum_prediction_probability_count", labels) == 0


def test_a_service_that_is_gone_is_a_failure_of_the_release_it_served(tmp_path: Path) -> None:
    release = make_tiny_release(tmp_path / "two", version="3.1.0")

    async def work() -> None:
        with serve(app_of(release.folder)) as server:
            http = over_network(server.url)
            target = Target("active", http)
            await until_learned(target)
            assert count("hilum_probe_failures_total", "active", release.digest) == 0
        assert not await probe(target)
        await http.aclose()

    asyncio.run(work())
    assert count("hilum_probe_failures_total", "active", release.digest) == 1


def test_each_request_has_a_connection_of_its_own_so_that_a_switched_service_is_followed() -> None:
    peers: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        peers.append(scope["client"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def work(url: str) -> None:
        async with over_network(url) as http:
            for _ in range(3):
                await http.get("/")

    with serve(app) as server:
        asyncio.run(work(server.url))
    assert len(set(peers)) == 3


def test_a_target_without_an_address_is_wrong_use(capsys: object) -> None:
    assert main(["--target", "active"]) == 64


def test_the_pods_of_one_update_share_a_name_and_other_hosts_have_none() -> None:
    assert pods_of("inference-7945884b4-mx2xk") == "7945884b4"
    assert [pods_of(host) for host in ("", "laptop", "node-1")] == ["", "", ""]


def test_the_pod_that_a_switch_left_behind_is_probed_until_it_is_gone(tmp_path: Path) -> None:
    release = make_tiny_release(tmp_path / "three", version="3.2.0")
    pods = pods_of(socket.gethostname())

    async def work(port: int) -> None:
        stop, active = asyncio.Event(), Target("active", over_network("http://127.0.0.1:9"))
        active.left.append("127.0.0.1")
        task = asyncio.create_task(keep_previous(active, port, 0.01, stop, 2.0))
        for _ in range(400):
            if REGISTRY.get_sample_value("hilum_probes_total", {**labels, "pods": pods}):
                break
            await asyncio.sleep(0.05)
        stop.set()
        await task
        await active.client.aclose()

    labels = {"target": "previous", "release": release.digest}
    with serve(app_of(release.folder)) as server:
        asyncio.run(work(server.port))
    assert (REGISTRY.get_sample_value("hilum_probes_total", {**labels, "pods": pods}) or 0) >= 1
