"""What the engines under measurement take, by construction."""

from __future__ import annotations

RECOGNISER_MS = 100
CHAT_MS = 200
SYNTHESIZER_MS = 80
REPLY = "It is a very small thing, but it is mine. I found it on the beach last summer."
