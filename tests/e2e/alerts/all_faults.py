"""Every fault, in the order of its batch."""

from __future__ import annotations

from tests.e2e.alerts import faults, faults_models, faults_platform, faults_promotion, faults_room, faults_site

PARTS = (faults, faults_platform, faults_models, faults_room, faults_site, faults_promotion)
FAULTS = sorted((fault for part in PARTS for fault in part.FAULTS), key=lambda fault: fault.batch)
