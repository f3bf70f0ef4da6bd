"""Hilum's inference service beside other Python model servers: `make bench-inference`."""
