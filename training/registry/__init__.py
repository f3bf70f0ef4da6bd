"""Releases in MLflow's model registry: registered whole, known by digest, fetched and verified."""

from training.registry.candidate import make_candidate
from training.registry.fetch import fetch
from training.registry.register import Registered, register
from training.registry.versions import NotInRegistry, StoredVersion, find, versions

__all__ = [
    "NotInRegistry",
    "Registered",
    "StoredVersion",
    "fetch",
    "find",
    "make_candidate",
    "register",
    "versions",
]
