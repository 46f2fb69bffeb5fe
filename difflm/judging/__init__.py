"""LLM judge through any OpenAI-compatible endpoint: six aspects a document, preference between sets."""

from difflm.judging.endpoint import Endpoint, Unanswered
from difflm.judging.judge import Counts, Estimate, Judge, Preferences, Scores, gap
from difflm.judging.questions import ASPECTS

__all__ = ["ASPECTS", "Counts", "Endpoint", "Estimate", "Judge", "Preferences", "Scores", "Unanswered", "gap"]
