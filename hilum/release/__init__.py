"""A release: an immutable, signed model bundle, identified by its digest (DESIGN: "Words")."""

from hilum.release.bundle import BadRelease, Release, check_session, read_manifest, read_release, write_release
from hilum.release.manifest import (
    Calibration,
    DomainSpec,
    FindingSpec,
    InputSpec,
    Interval,
    Manifest,
    OperatingPoint,
    Variant,
)

__all__ = [
    "BadRelease",
    "Calibration",
    "DomainSpec",
    "FindingSpec",
    "InputSpec",
    "Interval",
    "Manifest",
    "OperatingPoint",
    "Release",
    "Variant",
    "check_session",
    "read_manifest",
    "read_release",
    "write_release",
]
