"""Labelled films through a running service, as a hospital sends them, and how right it is."""
