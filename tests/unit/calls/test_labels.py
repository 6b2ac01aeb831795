"""The label that a client gives its session: logged where the session begins and ends, and never more than a line."""

from __future__ import annotations

import pytest
from calls_kit import CallsWorld

from parley.observe.log import LineFormatter


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("", ""),
        ("meeting-7", " correlation_id=meeting-7"),
        ("two words", ' correlation_id="two words"'),
        ("a\nERROR parley: forged\x1b[2J", ' correlation_id="aERROR parley: forged[2J"'),
        ("x" * 10_000, f" correlation_id={'x' * 64}"),
    ],
)
async def test_the_log_tells_the_label_where_a_session_begins_and_ends(
    label: str, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "parley")
    world = CallsWorld()
    client = await world.client(correlation_id=label)
    world.service.delete_session(client.access, client.session_id)
    lines = [LineFormatter().format(record) for record in caplog.records if record.name == "parley.calls.roster"]
    session = f"session_id={client.session_id}"
    first, last = lines
    assert first.partition("calls session opened ")[2] == f"{session} active=1{shown}"
    assert last.partition("calls session ended ")[2] == f'{session} active=0{shown} reason="deleted by request"'
