"""Metrics by name; importing the package registers all of them in the order of a report."""

from difflm.metrics.validity import Validity  # isort: skip
from difflm.metrics.shape import Shape  # isort: skip
from difflm.metrics.trend import Trend  # isort: skip
from difflm.metrics.mle import MLE  # isort: skip
from difflm.metrics.c2st import C2ST  # isort: skip
from difflm.metrics.alpha_beta import AlphaBeta  # isort: skip
from difflm.metrics.dcr import DCR  # isort: skip
from difflm.metrics.membership import Membership  # isort: skip
from difflm.metrics.base import Figure, Metric, Result, metric_names, resolve
from difflm.metrics.table import Bench, Encoded

__all__ = [
    "C2ST",
    "DCR",
    "MLE",
    "AlphaBeta",
    "Bench",
    "Encoded",
    "Figure",
    "Membership",
    "Metric",
    "Result",
    "Shape",
    "Trend",
    "Validity",
    "metric_names",
    "resolve",
]
