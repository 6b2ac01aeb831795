"""Pictures in items: how much of them is echoed. Pure."""

from __future__ import annotations

import msgspec

from parley.protocol.realtime.items import ContentPart, ConversationItem, InputImagePart, MessageItem

__all__ = ["MOST_ECHOED", "MOST_RETRIEVED", "echoed"]

MOST_ECHOED = 512 << 10
MOST_RETRIEVED = 3 << 20
"""Characters of picture in `conversation.item.added` and `done`, and in `retrieved`: clients close above 4 MiB."""


def echoed(item: ConversationItem, most: int) -> ConversationItem:
    """Give the item as it is told to clients: pictures that do not fit into `most` characters keep only their type."""
    if not isinstance(item, MessageItem):
        return item
    parts: list[ContentPart] = []
    for part in item.content:
        if isinstance(part, InputImagePart):
            most -= len(part.image_url)
            # DEVIATION: the vendor echoes a picture as it came. A frame with a photograph ends many clients, so that a
            # large one is echoed as its type alone.
            parts.append(part if most >= 0 else msgspec.structs.replace(part, image_url=_type_of(part.image_url)))
        else:
            parts.append(part)
    return msgspec.structs.replace(item, content=tuple(parts))


def _type_of(image_url: str) -> str:
    return image_url.partition(",")[0] + ","
