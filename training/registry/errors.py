"""What can go wrong between a release and the registry."""

from __future__ import annotations


class NotRegistered(Exception):
    """The release was not registered, or may not be what is asked for; nothing was changed, and the text says why."""
