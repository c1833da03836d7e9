"""The application's own metrics, logged in CloudWatch's embedded metric format, which needs no call and no right."""

import os
from collections.abc import Mapping

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

_NAMESPACE_VARIABLE = "OPTIMIZER_METRICS"
_SERVICE = "optimizer"


def emit(values: Mapping[str, float]) -> None:
    """Log the metrics, by name. Names that end in `Hours` have no unit, the others are counts."""
    if not values:
        return
    metrics = EphemeralMetrics(namespace=os.environ.get(_NAMESPACE_VARIABLE) or _SERVICE, service=_SERVICE)
    for name, value in values.items():
        metrics.add_metric(name, MetricUnit.NoUnit if name.endswith("Hours") else MetricUnit.Count, value)
    metrics.flush_metrics()
