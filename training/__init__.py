"""From films and labels to a signed release: data, split, fit, calibrate, export, evaluate."""
