"""Stored prompts wherever a client may name one, on a real server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from running_server import RunningServer, ask, receive, receive_until, running_server

from parley.server.settings import Settings, load_settings
from parley.testing import engine_set
from parley.testing.fake_chat import FakeChatModel


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    (prompts / "guide.md").write_text("You are a guide to {{city}}.")
    (tmp_path / "parley.toml").write_text('[agents.tour]\nprompt = { id = "guide", variables = { city = "Porto" } }\n')
    return load_settings(flags={}, environ={}, directory=tmp_path)


LISBON = {"id": "guide", "variables": {"city": "Lisbon"}}


async def minted(server: RunningServer, session: dict[str, Any]) -> Any:
    async with server.http() as http:
        return await http.post("/v1/realtime/client_secrets", json={"session": session})


async def test_a_session_update_may_name_a_prompt(settings: Settings) -> None:
    async with running_server(settings) as server, server.websocket() as socket:
        await receive(socket)
        await socket.send(json.dumps({"type": "session.update", "session": {"prompt": LISBON}}))
        session = (await receive_until(socket, "session.updated"))[-1]["session"]
        assert session["instructions"] == "You are a guide to Lisbon."
        assert session["prompt"] == LISBON


async def test_what_a_session_says_itself_wins(settings: Settings) -> None:
    async with running_server(settings) as server:
        answer = await minted(server, {"prompt": LISBON, "instructions": "Be brief."})
        assert answer.json()["session"]["instructions"] == "Be brief."


async def test_a_client_secret_may_carry_a_prompt(settings: Settings) -> None:
    async with running_server(settings) as server:
        answer = await minted(server, {"prompt": LISBON})
        assert answer.json()["session"]["instructions"] == "You are a guide to Lisbon."
        async with server.websocket("/v1/realtime", key=answer.json()["value"]) as socket:
            assert (await receive(socket))["session"]["instructions"] == "You are a guide to Lisbon."


async def test_a_response_may_name_a_prompt(settings: Settings) -> None:
    chat = FakeChatModel()
    async with (
        running_server(settings, build=lambda: engine_set(chat=chat)) as server,
        server.websocket() as socket,
    ):
        await receive(socket)
        await socket.send(json.dumps({"type": "response.create", "response": {"prompt": LISBON}}))
        await receive_until(socket, "response.done")
        assert chat.contexts[0].instructions == "You are a guide to Lisbon."
        await ask(socket, "And now?")
        assert chat.contexts[1].instructions != "You are a guide to Lisbon."


async def test_an_agent_may_be_made_of_a_prompt_that_its_clients_cannot_replace(settings: Settings) -> None:
    async with running_server(settings) as server, server.websocket("/v1/realtime?model=tour") as socket:
        assert (await receive(socket))["session"]["instructions"] == "You are a guide to Porto."
        wish = {"prompt": LISBON, "instructions": ""}
        await socket.send(json.dumps({"type": "session.update", "session": wish}))
        session = (await receive_until(socket, "session.updated"))[-1]["session"]
        assert session["instructions"] == "You are a guide to Porto."


@pytest.mark.parametrize(
    ("event", "param"),
    [
        ({"type": "session.update", "session": {"prompt": {"id": "gone"}}}, "session.prompt.id"),
        ({"type": "response.create", "response": {"prompt": {"id": "gone"}}}, "response.prompt.id"),
    ],
)
async def test_an_unknown_prompt_is_an_error_with_its_param(
    settings: Settings, event: dict[str, Any], param: str
) -> None:
    async with running_server(settings) as server, server.websocket() as socket:
        await receive(socket)
        await socket.send(json.dumps({**event, "event_id": "mine"}))
        error = (await receive_until(socket, "error"))[-1]["error"]
        assert (error["code"], error["param"], error["event_id"]) == ("prompt_not_found", param, "mine")


async def test_a_secret_for_an_unknown_prompt_is_not_minted(settings: Settings) -> None:
    async with running_server(settings) as server:
        answer = await minted(server, {"prompt": {"id": "gone"}})
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "session.prompt.id"


async def test_a_missing_variable_is_named(settings: Settings) -> None:
    async with running_server(settings) as server, server.websocket() as socket:
        await receive(socket)
        await socket.send(json.dumps({"type": "session.update", "session": {"prompt": {"id": "guide"}}}))
        error = (await receive_until(socket, "error"))[-1]["error"]
        assert error["param"] == "session.prompt.variables.city"
