"""Triage simulation: what an order does to waiting times."""
