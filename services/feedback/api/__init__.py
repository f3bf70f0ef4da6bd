"""The calls of feedback, one resource per file."""
