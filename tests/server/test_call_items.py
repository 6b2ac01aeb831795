"""Items that are too large for a data channel reach a call over HTTP."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest
from running_server import KEY, receive_until, running_server
from sdp_kit import offer_text

from parley.media.loopback import LoopbackPlane
from parley.server.settings import Settings

CALLS = "/v1/realtime/calls"
KEYED = Settings(api_keys=(KEY,))
PHOTOGRAPH = "data:image/jpeg;base64," + base64.b64encode(bytes(3 << 20)).decode()
ITEM = {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": PHOTOGRAPH}]}


async def placed(http: httpx.AsyncClient, **headers: str) -> str:
    offer = offer_text("chromium_audio_and_data")
    answer = await http.post(CALLS, content=offer, headers={"content-type": "application/sdp", **headers})
    return str(answer.headers["location"])


async def test_a_photograph_is_added_and_everybody_is_told() -> None:
    async with running_server(plane=LoopbackPlane()) as server, server.http() as http:
        call = await placed(http)
        async with server.websocket("/v1/realtime?call_id=" + call.split("/")[-1]) as sideband:
            await receive_until(sideband, "session.created")
            answer = await http.post(f"{call}/items", json={"item": ITEM})
            assert answer.status_code == 201, answer.text
            added = (await receive_until(sideband, "conversation.item.added"))[-1]
            assert added["item"] == answer.json()["item"]
            assert added["item"]["content"][0]["image_url"] == "data:image/jpeg;base64,"
            again = await http.post(f"{call}/items", json={"item": {**ITEM, "id": added["item"]["id"]}})
            assert (again.status_code, again.json()["error"]["param"]) == (400, "item.id")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "item"),
        ({"item": 7}, "item"),
        ({"item": {"type": "song"}}, "item.type"),
        ({"item": ITEM, "previous_item_id": "nobody"}, "previous_item_id"),
    ],
)
async def test_refusals_name_the_field(body: Any, param: str) -> None:
    async with running_server(plane=LoopbackPlane()) as server, server.http() as http:
        answer = await http.post(f"{await placed(http)}/items", json=body)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_an_unknown_call_is_not_found() -> None:
    async with running_server(plane=LoopbackPlane()) as server, server.http() as http:
        assert (await http.post(f"{CALLS}/rtc_nobody/items", json={"item": ITEM})).status_code == 404


async def test_a_secret_that_may_not_add_items_may_not_here() -> None:
    async with running_server(KEYED, plane=LoopbackPlane()) as server, server.http() as http:
        key = {"Authorization": f"Bearer {KEY}"}
        bounds = {"parley": {"client_events": ["response.create"]}}
        secret = (await http.post("/v1/realtime/client_secrets", json=bounds, headers=key)).json()["value"]
        own = {"Authorization": f"Bearer {secret}"}
        call = await placed(http, **own)
        refused = await http.post(f"{call}/items", json={"item": ITEM}, headers=own)
        assert refused.status_code in {400, 403}, refused.text
        assert (await http.post(f"{call}/items", json={"item": ITEM}, headers=key)).status_code == 201
