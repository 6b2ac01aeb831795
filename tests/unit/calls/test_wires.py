"""Data channels of sessions as the media plane is asked for them."""

from __future__ import annotations

from typing import Any

import pytest
from calls_kit import CallsWorld

from parley.media.commands import Command, OpenChannel
from parley.media.loopback import LoopbackPlane


@pytest.mark.parametrize(
    ("asked", "ordered", "max_retransmits", "max_lifetime_ms"),
    [
        ({}, True, None, None),
        ({"ordered": False, "maxRetransmits": 0}, False, 0, None),
        ({"ordered": False, "maxPacketLifeTime": 250}, False, None, 250),
        ({"maxPacketLifeTime": 0}, True, None, 0),
    ],
)
async def test_what_the_publisher_says_of_delivery_is_asked_of_the_plane_for_everybody(
    monkeypatch: pytest.MonkeyPatch,
    asked: dict[str, Any],
    ordered: bool,
    max_retransmits: int | None,
    max_lifetime_ms: int | None,
) -> None:
    opened: list[OpenChannel] = []
    submit = LoopbackPlane.submit

    def noting(plane: LoopbackPlane, command: Command) -> None:
        if isinstance(command, OpenChannel) and command.negotiated:
            opened.append(command)
        submit(plane, command)

    world = CallsWorld()
    alice, bob = await world.client("a"), await world.client("b")
    for client in (alice, bob):
        await client.establish()
    monkeypatch.setattr(LoopbackPlane, "submit", noting)
    (published,) = await alice.channels({"location": "local", "dataChannelName": "cursor", **asked})
    assert published.items() >= asked.items()
    source = {"location": "remote", "sessionId": alice.session_id, "dataChannelName": "cursor"}
    await bob.channels(source)
    delivery = [(each.ordered, each.max_retransmits, each.max_lifetime_ms) for each in opened]
    assert delivery == [(ordered, max_retransmits, max_lifetime_ms)] * 2
