"""Token buckets: how long one waits, and how little memory an attack takes."""

from __future__ import annotations

from services.web.identity.limits import Buckets, LoginLimits, network


def test_a_bucket_gives_its_burst_and_then_one_at_its_pace() -> None:
    buckets = Buckets(burst=3, per_second=0.5)
    assert [buckets.take("a", 0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert buckets.take("a", 0.0) == 2.0
    assert buckets.take("a", 1.0) == 1.0
    assert buckets.take("a", 2.0) == 0.0
    assert buckets.take("b", 2.0) == 0.0


def test_a_million_names_take_the_memory_of_a_few() -> None:
    buckets = Buckets(burst=3, per_second=0.5, keys=100)
    for number in range(10_000):
        buckets.take(number, float(number))
    assert len(buckets) == 100


def test_who_guesses_from_elsewhere_locks_nobody_out() -> None:
    limits = LoginLimits()
    for second in range(1000):
        limits.take("203.0.113.7", "anna", second / 100)
    assert limits.take("198.51.100.1", "anna", 10.0) == 0.0


def test_who_guesses_from_the_same_network_makes_a_colleague_wait_for_seconds() -> None:
    limits = LoginLimits()
    waits = [limits.take("203.0.113.7", "anna", second / 100) for second in range(1000)]
    assert 0 < max(waits) <= 12
    assert limits.take("203.0.113.7", "anna", 23.0) == 0.0
    assert limits.take("203.0.113.7", "bert", 23.0) == 0.0


def test_many_names_from_one_network_are_bounded_too() -> None:
    limits = LoginLimits()
    allowed = sum(limits.take("203.0.113.7", f"user{number}", 0.0) == 0.0 for number in range(1000))
    assert allowed == 60


def test_one_subscriber_is_one_network() -> None:
    assert network("2001:db8::1") == network("2001:db8::ffff:1") != network("2001:db8:0:1::1")
    assert network("192.0.2.1") != network("192.0.2.2")
    assert network("not an address") == "not an address"
    assert network("fe80::1%eth0") == "fe80::/64"
