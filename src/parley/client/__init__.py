"""Talk with a Realtime server from Python: for small devices, robots, scripts and tests.

    async with connect("http://192.168.1.20:8080", tools=[set_lamp], greet=True) as session:
        with Microphone(session), Speaker(session):
            async for event in session:
                ...

`connect` takes `transport="websocket"` (nothing more to install) or `"webrtc"` (`pip install 'parley[client]'`, which
brings aiortc; its `av` wheel bundles GPL codecs, so it is not part of the default install). A tool is a typed Python
function: its schema comes from its annotations and docstring, and it is called on this device.

What lives here: `session` (the conversation), `websocket_link` and `webrtc_link` (how it travels), `devices` and
`recording` (where speech comes from and goes to), `tools`, `play_buffer`. What does not: anything of the server.
Errors: `ClientError` ► `CannotConnect` · `MissingPackage`; every text names the fix.
"""

from __future__ import annotations

from parley.client.devices import Microphone, Speaker
from parley.client.errors import CannotConnect, ClientError, MissingPackage
from parley.client.recording import speak_recording
from parley.client.session import Session, connect

__all__ = [
    "CannotConnect",
    "ClientError",
    "Microphone",
    "MissingPackage",
    "Session",
    "Speaker",
    "connect",
    "speak_recording",
]
