"""What text and pictures count, in the API's units, where no engine has counted: four characters are a token."""

from __future__ import annotations

from parley.protocol.realtime.items import InputImagePart

__all__ = ["TOKENS_PER_MESSAGE", "estimated_tokens", "image_tokens"]

CHARS_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 2
LOW_DETAIL_TOKENS = 85
HIGH_DETAIL_TOKENS = 765
"""What a picture of usual size counts (Realtime API: `auto` means high)."""


def estimated_tokens(chars: int) -> int:
    """Estimate the tokens of a text of `chars` characters."""
    return -(-chars // CHARS_PER_TOKEN)


def image_tokens(image: InputImagePart) -> int:
    """Give what a picture counts."""
    return LOW_DETAIL_TOKENS if image.detail == "low" else HIGH_DETAIL_TOKENS
