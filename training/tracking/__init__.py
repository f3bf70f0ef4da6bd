"""MLflow: a run's figures and files, sent when MLflow is there, kept until then."""

from training.tracking.place import Place, TrackingUnavailable, place
from training.tracking.run import tracked
from training.tracking.tracker import JournalTracker, NullTracker, Tracker

__all__ = ["JournalTracker", "NullTracker", "Place", "Tracker", "TrackingUnavailable", "place", "tracked"]
