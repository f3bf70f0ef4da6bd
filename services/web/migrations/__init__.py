"""Migrations of the reading room's tables, in order of their numbers."""
