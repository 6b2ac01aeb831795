"""What can go wrong before a conversation runs. What goes wrong in it is an event."""

from __future__ import annotations

__all__ = ["CannotConnect", "ClientError", "MissingPackage"]


class ClientError(Exception):
    """Anything this package raises."""


class CannotConnect(ClientError):  # noqa: N818 - says what happened
    """No server there, or it refused; the text says what to do."""


class MissingPackage(ClientError):  # noqa: N818 - says what happened
    """An optional package is needed; the text has the line that installs it."""
