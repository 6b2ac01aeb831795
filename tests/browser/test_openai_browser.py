"""The vendor's SDK in Chromium by WebSocket: an ephemeral key in the sub-protocol, all that a page can send."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from client_venvs import node_packages
from console import artifacts, run_driver
from event_order import order_faults
from served import parley_serve
from spoken import words

from parley.server.certificate import self_signed

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

KEY = "sk-a-key-of-this-test"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Hold the conversation with a server that speaks https and asks for a key."""
    place, folder = tmp_path_factory.mktemp("tls"), artifacts("openai-browser")
    certificate, key = self_signed(("127.0.0.1",), place, datetime.datetime.now(datetime.UTC))
    plan = folder / "plan.json"
    with parley_serve("--tls", str(certificate), str(key), "--api-key", KEY, certificate=certificate) as served:
        asked = {"server": served.url, "key": KEY, "packages": str(node_packages("node")), "out": str(folder)}
        plan.write_text(json.dumps(asked), encoding="utf-8")
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("NODE_EXTRA_CA_CERTS", str(certificate))
            run_driver("sdk_socket.mjs", str(plan), limit_s=90)
    result: dict[str, Any] = json.loads(Path(folder / "result.json").read_text(encoding="utf-8"))
    return result


def test_the_key_travels_in_the_sub_protocol_and_the_server_answers_with_its_own(seen: dict[str, Any]) -> None:
    assert seen["ephemeral"]
    assert seen["protocol"] == "realtime"
    assert seen["events"][0]["type"] == "session.created"
    assert seen["events"][0]["session"]["instructions"] == "", "what the key hides stays hidden"


def test_a_written_turn_is_answered_and_nothing_is_an_error_to_it(seen: dict[str, Any]) -> None:
    done = next(event["response"] for event in seen["events"] if event["type"] == "response.done")
    assert done["status"] == "completed"
    assert len(words(done["output"][0]["content"][0]["text"])) >= 3
    assert (seen["errors"], seen["problems"]) == ([], [])
    assert seen["closed"] == 1000
    assert order_faults(seen["events"]) == []
