"""Triage simulation: who waits how long, first come first served against Hilum's order."""
