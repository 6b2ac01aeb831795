"""Whatever clients do in whatever order, both sides agree on every m-line, and who pulls hears the right one."""

from __future__ import annotations

import random

import pytest
from calls_kit import CallsWorld, Client

from parley.calls.faults import CallsFault
from parley.media.commands import AddPeer
from parley.media.peer_spec import check_peer_spec

STEPS = 60


def agree(client: Client) -> None:
    """The client's m-lines are ours: mids, places, what is closed and what sends where."""
    member = client.world.service._roster.apps[client.access.app.app_id].members[client.session_id]  # type: ignore[index]
    known = member.session.negotiation._memory.sections
    mine = client.browser.sections
    assert [(each.mid, each.live) for each in known] == [(each.mid, not each.stopped) for each in mine]
    for mid, transceiver in member.session.transceivers.items():
        assert transceiver.slot is not None
        if transceiver.pull and transceiver.can_send:
            assert client.browser.receives(mid)
    mids = [each.mid for each in mine]
    assert len(mids) == len(set(mids))


async def step(chance: random.Random, clients: list[Client]) -> None:
    client, other = chance.choice(clients), chance.choice(clients)
    kind = chance.choice(["audio", "video"])
    live = [each for each in client.browser.sections if not each.stopped and each.kind != "application"]
    published = [each["trackName"] for each in other.listing()["tracks"] if each["location"] == "local"]
    match chance.choice(["push", "pull", "pull", "both", "close", "force", "update", "again"]):
        case "push":
            await client.push(f"t{chance.randrange(4)}", kind=kind, direction=chance.choice(["sendonly", "sendrecv"]))
        case "pull":
            names = [chance.choice(published) for _ in range(chance.randrange(1, 4))] if published else ["nothing"]
            await client.pull(*((other, name) for name in names))
        case "both":
            name = f"b{chance.randrange(3)}"
            await client.push(name, kind=kind, direction="sendrecv", bidirectionalMediaStream=True)
            if published:
                await client.pull((other, chance.choice(published)), mid=f"#{name}")
        case "close" if live:
            chosen = chance.sample(live, min(len(live), chance.randrange(1, 3)))
            client.browser.stop(chosen[0].mid)
            await client.close(*(each.mid for each in chosen))
        case "force" if live:
            await client.close(chance.choice(live).mid, force=True)
        case "update" if live and published:
            await client.update(client.item(other, chance.choice(published), mid=chance.choice(live).mid))
        case "again" if live:
            offer = {"type": "offer", "sdp": client.browser.offer()}
            mid = chance.choice(live)
            if mid.direction in {"sendonly", "sendrecv"}:
                item = {"location": "local", "trackName": "again", "mid": mid.mid}
                reply = await client.tracks(sessionDescription=offer, tracks=[item])
                client.browser.accept(reply["sessionDescription"]["sdp"])
        case _:
            pass


@pytest.mark.parametrize("seed", range(25))
async def test_both_sides_agree_after_every_step(seed: int) -> None:
    chance = random.Random(seed)
    world = CallsWorld()
    clients = [await world.client(name) for name in ("a", "b", "c")]
    seen: list[AddPeer] = []
    refused: list[str] = []
    submit = world.plane.submit

    def watched(command: object) -> None:
        if isinstance(command, AddPeer):
            check_peer_spec(command.spec)
            seen.append(command)
        submit(command)  # type: ignore[arg-type]

    world.plane.submit = watched  # type: ignore[method-assign]
    for _ in range(STEPS):
        try:
            await step(chance, clients)
        except CallsFault as fault:
            refused.append(str(fault))
        await world.pass_ms(200)
        for client in clients:
            agree(client)
    assert len(seen) > STEPS // 6
    # What a client runs into by chance: a picture into an m-line for sound, or the other way.
    assert all("is audio, and" in words or "is video, and" in words for words in refused), refused
    assert len(refused) < STEPS // 4
    assert world.plane.counters.commands_ignored == 0
