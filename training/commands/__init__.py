"""Commands of `hilum` that need the training requirements; services/cli.py finds them by name."""
