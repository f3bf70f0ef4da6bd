"""Data sets in, one manifest and one store of frames out."""

from __future__ import annotations

from training.data.findings import check_findings, findings_of, nih_findings
from training.data.manifest import BadData, Film, LeftOut, Manifest, label_matrix, target_matrix
from training.data.read import read_sources

__all__ = [
    "BadData",
    "Film",
    "LeftOut",
    "Manifest",
    "check_findings",
    "findings_of",
    "label_matrix",
    "nih_findings",
    "read_sources",
    "target_matrix",
]
