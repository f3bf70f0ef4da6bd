"""What Prometheus reads while films are streamed, computed when it asks."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from training.online.tally import Tally

FIGURES = {
    "accuracy": "Share of known labels that the service's call agrees with.",
    "auroc": "Area under the ROC curve.",
    "sensitivity": "Share of present findings that were called.",
    "specificity": "Share of absent findings that were not called.",
}


class EvaluationGauges(Collector):
    """`hilum_evaluation_*{finding,release,dataset}`; what is not known yet has no sample."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def follow(self, tally: Tally) -> None:
        """Show `tally` from now on: a round that is over, while the next one runs."""
        self._tally = tally

    def collect(self) -> Iterable[Metric]:
        """The figures now."""
        found = self._tally.figures()
        for figure, text in FIGURES.items():
            gauge = GaugeMetricFamily(f"hilum_evaluation_{figure}", text, labels=["finding", "release", "dataset"])
            for (dataset, release), findings in found.items():
                for name, figures in findings.items():
                    value = getattr(figures, figure)
                    if value == value:  # noqa: PLR0124 - NaN is not equal to itself
                        gauge.add_metric([name, release, dataset], value)
            yield gauge
        films = CounterMetricFamily(
            "hilum_evaluation_films", "Films sent, by what became of them.", labels=["dataset", "release", "outcome"]
        )
        for labels, count in self._tally.outcomes.items():
            films.add_metric(list(labels), count)
        yield films


def registry(gauges: EvaluationGauges) -> CollectorRegistry:
    """A registry of these gauges alone."""
    made = CollectorRegistry()
    made.register(gauges)
    return made
