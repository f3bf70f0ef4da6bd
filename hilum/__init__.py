"""Hilum: ranks chest radiographs by urgency. Core library, shared by services and training."""

__version__ = "0.1.0"
