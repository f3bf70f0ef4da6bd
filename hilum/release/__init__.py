"""A release: an immutable, signed model bundle, identified by its digest (DESIGN: "Words")."""

from hilum.release.bundle import BadRelease, Release, check_session, read_manifest, read_release, write_release
from hilum.release.manifest import (
    Calibration,
    DomainSpec,
    Fidelity,
    FindingSpec,
    InputSpec,
    Interval,
    Manifest,
    OpenVino,
    OperatingPoint,
    Parity,
    Speed,
    Variant,
)

__all__ = [
    "BadRelease",
    "Calibration",
    "DomainSpec",
    "Fidelity",
    "FindingSpec",
    "InputSpec",
    "Interval",
    "Manifest",
    "OpenVino",
    "OperatingPoint",
    "Parity",
    "Release",
    "Speed",
    "Variant",
    "check_session",
    "read_manifest",
    "read_release",
    "write_release",
]
