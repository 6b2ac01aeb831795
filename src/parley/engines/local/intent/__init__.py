"""The demonstration brain: tool calls chosen from the session's own schemas, without a language model.

`IntentIndex` ranks tools for a sentence, `DemoBrain` is the `ChatModel` around it. Everything in here is generic
English: no tool, subject or phrase of any page occurs, only what schemas and results bring along.
"""

from parley.engines.local.intent.brain import DemoBrain
from parley.engines.local.intent.index import Candidate, IntentIndex

__all__ = ["Candidate", "DemoBrain", "IntentIndex"]
