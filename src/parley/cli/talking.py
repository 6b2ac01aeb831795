"""A conversation on the screen of a terminal: what each side said, as it is said.

Neighbours: `talk` (the command), `parley.client` (the conversation itself).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Caption"]


class Caption:
    """Writes events as text. `show` gets text to print, without a line end unless it has one."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._speaking = False
        self.failed: str | None = None

    def on(self, event: dict[str, Any]) -> None:
        """Show one event."""
        match event["type"]:
            case "response.output_audio_transcript.delta" | "response.output_text.delta":
                self._show(event["delta"] if self._speaking else f"\nParley: {event['delta']}")
                self._speaking = True
            case "conversation.item.input_audio_transcription.completed":
                self._show(f"\nYou: {event['transcript']}")
                self._speaking = False
            case "input_audio_buffer.speech_started" if self._speaking:
                self._show(" —")
            case "response.done":
                self._done(event["response"])
            case "error":
                self.failed = event["error"]["message"]
                self._show(f"\n[{event['error']['code']}] {self.failed}\n")

    def _done(self, response: dict[str, Any]) -> None:
        self._speaking = False
        if response["status"] == "failed":
            self.failed = response["status_details"]["error"].get("message", "the response failed")
            self._show(f"\n[failed] {self.failed}\n")
