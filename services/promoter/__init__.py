"""Moves a release from the registry through staging and canary to production, by commits alone."""
