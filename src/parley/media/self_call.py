"""A call of this machine to itself: real ICE and DTLS over one announced address, to see whether media gets through.

Two planes on real sockets: one answers at the address as a server's would, the other connects to it as a client. What
fails here fails for everyone; what works here may still be stopped by a firewall between.
Neighbours: `native` (the planes), `cli.checks` (asks).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from parley.media.commands import AddPeer
from parley.media.events import PeerClosed, PeerConnected
from parley.media.native import NativePlane
from parley.media.peer_spec import Candidate, DtlsRole, IceCredentials, PeerId, PeerSpec, SctpSpec
from parley.media.plane import PlaneIdentity

__all__ = ["self_call"]

TIMEOUT_S = 6.0
_CALL = PeerId("self-call")


async def self_call(
    address: str, port: int, protocol: Literal["udp", "tcp"], *, token: Callable[[], str]
) -> float | None:
    """Call `address` at media port `port` (0: any free one) and give the seconds until both ends are connected.

    None when they are not within six seconds. `token` makes unguessable text of 22 characters or more. Raises
    `MediaError` when the port cannot be opened.
    """
    bind = "::" if ":" in address else "0.0.0.0"  # noqa: S104 - as the server does
    server = NativePlane.open(announced=[address], bind=bind, port=port)
    try:
        client = NativePlane.open(announced=[address], bind=bind)
        try:
            return await _call(server, client, protocol, token)
        finally:
            client.close()
    finally:
        server.close()


async def _call(
    server: NativePlane, client: NativePlane, protocol: Literal["udp", "tcp"], token: Callable[[], str]
) -> float | None:
    ours = IceCredentials(token()[:8], token())
    theirs = IceCredentials(token()[:8], token())
    at = tuple(candidate for candidate in server.identity.candidates if candidate.protocol == protocol)
    woken = asyncio.Event()
    for plane in (server, client):
        plane.watch(woken.set)
    loop = asyncio.get_running_loop()
    started = loop.time()
    server.submit(AddPeer(_spec(ours, theirs, client.identity, "passive", lite=True)))
    client.submit(AddPeer(_spec(theirs, ours, server.identity, "active", lite=False, at=at)))
    connected: set[NativePlane] = set()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            while len(connected) < 2:
                await woken.wait()
                woken.clear()
                for plane in (server, client):
                    for event in plane.drain():
                        if isinstance(event, PeerConnected):
                            connected.add(plane)
                        elif isinstance(event, PeerClosed):
                            return None
    except TimeoutError:
        return None
    return loop.time() - started


def _spec(
    local: IceCredentials,
    remote: IceCredentials,
    far: PlaneIdentity,
    role: DtlsRole,
    *,
    lite: bool,
    at: tuple[Candidate, ...] = (),
) -> PeerSpec:
    return PeerSpec(
        peer=_CALL,
        shard=0,
        local_ice=local,
        remote_ice=remote,
        remote_fingerprint=far.fingerprint,
        dtls_role=role,
        sctp=SctpSpec("0"),
        ice_lite=lite,
        remote_candidates=at,
    )
