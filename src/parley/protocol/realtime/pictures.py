"""Pictures in items: whether there is anybody to look at them. Pure."""

from __future__ import annotations

from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.items import ConversationItem, InputImagePart, MessageItem

__all__ = ["picture_fault"]


def picture_fault(item: ConversationItem, param: str) -> ClientFault | None:
    """Refuse the first picture of `item`, which is at `param`, for a model that cannot see."""
    if not isinstance(item, MessageItem):
        return None
    for index, part in enumerate(item.content):
        if isinstance(part, InputImagePart):
            return ClientFault(
                code="unsupported_content",
                message="The model of this session cannot see pictures: leave the input_image out, or have the server "
                "run a model that sees (--llm).",
                param=f"{param}.content[{index}]",
            )
    return None
