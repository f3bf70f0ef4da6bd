"""What Prometheus reads of a training."""

from __future__ import annotations

from prometheus_client import REGISTRY

from training.fit.events import EpochEnded, Noted, Stepped
from training.fit.gauges import observe


def test_loss_progress_and_the_last_epochs_figures_are_shown_by_network() -> None:
    observe(4, Stepped(25, 100, 0.3))
    observe(4, EpochEnded(2, 25, {"auroc": 0.71, "films_per_second": 120.0, "waiting_for_data_share": 0.02}))
    observe(4, Noted("nothing to show"))
    of = {"member": "5"}
    assert REGISTRY.get_sample_value("hilum_training_loss", of) == 0.3
    assert REGISTRY.get_sample_value("hilum_training_progress", of) == 0.25
    assert REGISTRY.get_sample_value("hilum_training_epoch", of) == 2
    assert REGISTRY.get_sample_value("hilum_training_figure", of | {"figure": "waiting_for_data_share"}) == 0.02
