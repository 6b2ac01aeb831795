"""What a call's camera shows, in what a response is generated from. Pure.

One still a response, taken when it begins: into the user's newest message if nothing was answered since, behind the
conversation if something was, or if nobody has said anything yet. Where the response answers a function's output, the
still of that turn is there already. Clients are told nothing of it: stills are no part of the conversation, and of a
conversation's stills models are shown the `MOST_SHOWN` newest.

Neighbours: `responses` (asks for stills), `context` (the rest of what models see), `runtime.camera` (where they wait).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from parley.protocol.realtime.context import InputTally
from parley.protocol.realtime.ids import ResponseId
from parley.protocol.realtime.items import InputImagePart, Item, MessageItem
from parley.protocol.realtime.tokens import image_tokens

__all__ = ["MOST_SHOWN", "STILL_WAIT_MS", "Stills"]

MOST_SHOWN = 2
"""Pictures cost many tokens, and what was to be said of older ones was said."""

STILL_WAIT_MS = 500
"""How long a response waits for the runner's answer; it has one at once unless something is wrong."""


class Stills:
    """Which messages of the conversation have stills. `camera`: there is one."""

    def __init__(self, *, camera: bool) -> None:
        self.camera = camera
        self._of: dict[str, InputImagePart] = {}

    def wanted(self, items: Sequence[Item]) -> bool:
        """Whether a response to `items` is to be shown a still of its own."""
        return _place(items) is not None

    def placed(
        self, items: tuple[Item, ...], tally: InputTally, response_id: ResponseId, image_url: str | None
    ) -> tuple[Item, ...]:
        """Give `items` with the stills that belong to them, the new one of `image_url` included, and count them."""
        if image_url is not None and (place := _place(items)) is not None:
            if place == _BEHIND:
                items = (*items, MessageItem(id=f"still_{response_id}", role="user", content=()))
                tally.messages += 1
                place = items[-1].id
            self._of.pop(place, None)
            self._of[place] = InputImagePart(image_url)
            while len(self._of) > MOST_SHOWN:
                del self._of[next(iter(self._of))]
        shown = [still for item in items if (still := self._of.get(item.id)) is not None]
        tally.image_tokens += sum(map(image_tokens, shown))
        return tuple(self._with_still(item) for item in items) if shown else items

    def _with_still(self, item: Item) -> Item:
        still = self._of.get(item.id)
        if still is None or not isinstance(item, MessageItem):
            return item
        return msgspec.structs.replace(item, content=(*item.content, still))


_BEHIND = ""
"""The place behind the conversation; no item's id is empty."""


def _place(items: Sequence[Item]) -> str | None:
    """Find the message that the next still belongs to."""
    for item in reversed(items):
        match item:
            case MessageItem(role="user", id=item_id):
                return item_id
            case MessageItem(role="assistant"):
                return _BEHIND
            case MessageItem():
                continue
            case _:
                return None
    return _BEHIND
