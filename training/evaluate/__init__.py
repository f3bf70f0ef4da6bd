"""Figures: metrics, intervals, comparisons, the report."""
