"""From trained networks to a signed release: export, precisions, calibration, domain, card."""
