"""Drift: whether the films of a site, and what the release says of them, still look as they did.

Three looks, each said apart: `sequential` watches film by film at a stated false-alarm rate, against the site's own
first films; `compare` says how far a site is from the films that the release was judged on; `reads` asks whether the
probabilities still mean what they say. Numpy alone: serving has no scipy.
"""
