"""The promoter's calls."""
