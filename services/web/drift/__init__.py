"""Drift of this reading room's sites: rows to columns, a report per site and release, its page and its gauges."""
