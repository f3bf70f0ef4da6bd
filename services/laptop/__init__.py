"""The whole of Hilum in one process, for a laptop: `hilum run`."""
