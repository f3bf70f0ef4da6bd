"""Migrations of identity's tables, in order of their numbers."""
