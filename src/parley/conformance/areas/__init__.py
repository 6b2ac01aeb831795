"""The checks, by area. Each module's `CHECKS` is a tuple; together they are `ALL`, in the order of the report."""

from parley.conformance.areas import (
    beta,
    calls,
    connecting,
    frames,
    http_api,
    input_audio,
    items,
    refusals,
    responses,
    sessions,
    tools,
    transcribing,
    turns,
)
from parley.conformance.check import Check

__all__ = ["ALL"]

ALL: tuple[Check, ...] = (
    *connecting.CHECKS,
    *sessions.CHECKS,
    *items.CHECKS,
    *input_audio.CHECKS,
    *turns.CHECKS,
    *responses.CHECKS,
    *tools.CHECKS,
    *transcribing.CHECKS,
    *refusals.CHECKS,
    *frames.CHECKS,
    *http_api.CHECKS,
    *calls.CHECKS,
    *beta.CHECKS,
)
