"""Evidence from the reading room's rows: pairs and reads of two releases, judged by `hilum.evidence`."""
