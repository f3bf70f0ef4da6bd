"""What Prometheus reads of a training that runs (`hilum train --metrics-port`); its whole record is in MLflow."""

from __future__ import annotations

from prometheus_client import Gauge

from training.fit.events import EpochEnded, Event, Stepped

LOSS = Gauge("hilum_training_loss", "Loss, smoothed over about fifty steps.", ["member"])
PROGRESS = Gauge("hilum_training_progress", "Share of the steps that are done, 0 to 1.", ["member"])
EPOCH = Gauge("hilum_training_epoch", "Number of the last epoch that ended.", ["member"])
FIGURE = Gauge("hilum_training_figure", "A figure of the last epoch that ended, by name.", ["member", "figure"])


def observe(member: int, event: Event) -> None:
    """Show what network number `member` tells of itself."""
    label = str(member + 1)
    if isinstance(event, Stepped):
        LOSS.labels(label).set(event.loss)
        PROGRESS.labels(label).set(event.step / event.steps)
    elif isinstance(event, EpochEnded):
        EPOCH.labels(label).set(event.epoch)
        for name, value in event.figures.items():
            FIGURE.labels(label, name).set(value)
