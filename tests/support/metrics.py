"""Metrics as Prometheus would scrape them."""

from typing import Any

from prometheus_client import Metric
from prometheus_client.metrics import MetricWrapperBase


def value(metric: MetricWrapperBase, *labels: str) -> float:
    """The value of a counter or gauge with these labels, in the order in which it declares them; 0 when it has none."""
    samples = [sample for found in metric.collect() for sample in found.samples if _is_value(found, sample)]
    return sum(sample.value for sample in samples if tuple(sample.labels.values()) == labels)


def _is_value(family: Metric, sample: Any) -> bool:
    """A counter has a sample for the time of its creation as well."""
    return not sample.name.endswith("_created") and family.type in {"counter", "gauge"}
