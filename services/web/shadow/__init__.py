"""Shadow answers: what canary's release says of the same studies, kept for comparison and shown to nobody."""
