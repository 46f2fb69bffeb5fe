"""Metrics of documents by name; importing the package registers all of them in the order of a report."""

from difflm.metrics.documents.validity import CodeValidity, TextValidity, ToolValidity  # isort: skip
from difflm.metrics.documents.copies import Copies, Distinct, DistinctNames  # isort: skip
from difflm.metrics.documents.lengths import Lengths  # isort: skip
from difflm.metrics.documents.code import NodeTypes  # isort: skip
from difflm.metrics.documents.tools import KeyShape, Parameters, ValueTypes  # isort: skip
from difflm.metrics.documents.text import TextShape  # isort: skip
from difflm.metrics.documents.base import (
    DocumentBench,
    DocumentKind,
    DocumentMetric,
    Documents,
    document_metric_names,
    resolve,
)
from difflm.metrics.documents.rebuilt import code_right, documents_right, json_leaves_right, text_right
from difflm.metrics.documents.references import shuffled

__all__ = [
    "CodeValidity",
    "Copies",
    "Distinct",
    "DistinctNames",
    "DocumentBench",
    "DocumentKind",
    "DocumentMetric",
    "Documents",
    "KeyShape",
    "Lengths",
    "NodeTypes",
    "Parameters",
    "TextShape",
    "TextValidity",
    "ToolValidity",
    "ValueTypes",
    "code_right",
    "document_metric_names",
    "documents_right",
    "json_leaves_right",
    "resolve",
    "shuffled",
    "text_right",
]
