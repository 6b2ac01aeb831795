"""Shortening a conversation that is too long for its model: which of the oldest items are left out.

Nothing is deleted: the items stay in the conversation, and no event tells of it. An item that was once left out stays
out, so that the beginning of the context, and a model server's prefix cache with it, holds until the next overflow.
Instructions and tools are never dropped and do not count. A function's call and its output go together, and what is
being answered, the newest item, stays. Source: Realtime API, "Truncation". Neighbours: `planning`, `responses` (ask).
"""

from __future__ import annotations

from collections.abc import Sequence

from parley.protocol.realtime.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudioPart,
    InputImagePart,
    Item,
    OutputAudioPart,
)
from parley.protocol.realtime.session_config import RetentionRatio, Truncation
from parley.protocol.realtime.tokens import TOKENS_PER_MESSAGE, estimated_tokens, image_tokens

__all__ = ["CONTEXT_TOKENS", "item_tokens", "kept", "over_limit"]

CONTEXT_TOKENS = 28_224
"""What a conversation may have unless a client says otherwise: a window of 32,768 less 4,096 for the answer, as the
vendor's guide counts it. Engines with smaller windows shorten further."""


def over_limit(items: Sequence[Item], truncation: Truncation) -> bool:
    """Tell whether `items` are too many for their limit."""
    return sum(map(item_tokens, items)) > _limit(truncation)


def kept(items: Sequence[Item], truncation: Truncation) -> Sequence[Item]:
    """Give the newest of `items`: all if they fit, else as many as the retention ratio of the limit takes."""
    limit = _limit(truncation)
    total = sum(map(item_tokens, items))
    if total <= limit:
        return items
    ratio = truncation.retention_ratio if isinstance(truncation, RetentionRatio) else 1.0
    wanted = limit * ratio
    first = 0
    while first < len(items) - 1 and total > wanted:
        total -= item_tokens(items[first])
        first += 1
    return _without_orphans(items[first:])


def item_tokens(item: Item) -> int:
    """Estimate the tokens of one item, as text."""
    match item:
        case FunctionCallItem():
            return TOKENS_PER_MESSAGE + estimated_tokens(len(item.name) + len(item.arguments))
        case FunctionCallOutputItem():
            return TOKENS_PER_MESSAGE + estimated_tokens(len(item.output))
        case _:
            chars = images = 0
            for part in item.content:
                match part:
                    case InputAudioPart() | OutputAudioPart():
                        chars += len(part.transcript or "")
                    case InputImagePart():
                        images += image_tokens(part)
                    case _:
                        chars += len(part.text)
            return TOKENS_PER_MESSAGE + estimated_tokens(chars) + images


def _limit(truncation: Truncation) -> int:
    if isinstance(truncation, RetentionRatio) and truncation.token_limits is not None:
        return truncation.token_limits.post_instructions
    return CONTEXT_TOKENS


def _without_orphans(items: Sequence[Item]) -> Sequence[Item]:
    """Leave out outputs at the beginning whose calls were dropped."""
    calls = {item.call_id for item in items if isinstance(item, FunctionCallItem)}
    return [item for item in items if not isinstance(item, FunctionCallOutputItem) or item.call_id in calls]
