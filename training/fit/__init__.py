"""Fitting networks: the loop, its losses and augmentation, members, Ray."""
