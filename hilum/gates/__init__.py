"""Gates: what is asked of a candidate in each environment, and the record of each judgement.

Numpy and the standard library alone: the image that serves a release also judges it.
"""

from __future__ import annotations

from hilum.gates.record import BadRecord, Check, GateRecord, Verdict, combine, rejected_tag

__all__ = ["BadRecord", "Check", "GateRecord", "Verdict", "combine", "rejected_tag"]
