"""From what radiologists said since the last release to a release that is not worse, or to none."""
