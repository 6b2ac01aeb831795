"""A scope applied to single events: what a restricted connection may say, and what it is shown.

Locked fields of a `session.update` or `response.create` are taken out and the rest is done: clients send their whole
configuration by habit, and an error would end some of them. The echo names what is locked. Whatever else would alter
the prompt (messages of role `system`) and events that are not allowed are refused, with an error that says so.
Implements `runtime.permit.Permit` by shape. Neighbour: `scope`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from parley.auth.scope import Scope
from parley.protocol.realtime.client_events import (
    ClientEvent,
    ConversationItemCreate,
    ResponseCreate,
    ResponseParams,
    SessionUpdate,
)
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.items import (
    ConversationItem,
    FunctionCallItem,
    FunctionCallOutputItem,
    InputTextPart,
    McpApprovalRequestItem,
    McpCallItem,
    McpError,
    McpListToolsItem,
    MessageItem,
)
from parley.protocol.realtime.server_events import (
    ConversationItemAdded,
    ConversationItemDone,
    ConversationItemRetrieved,
    McpCallArgumentsDelta,
    McpCallArgumentsDone,
    OutputItemAdded,
    OutputItemDone,
    ResponseDone,
    ServerEvent,
    SessionCreated,
    SessionUpdated,
)
from parley.protocol.realtime.session_config import RealtimeSessionObject, SessionObject, SessionPatch

__all__ = ["RESPONSE_OWN", "ScopePermit"]

_HIDDEN = "hidden"
RESPONSE_OWN = frozenset({"conversation", "input", "metadata"})
"""What a response says that no session says: nothing of it can be locked, and items of its input are judged."""

_RESPONSE_PATHS = {"voice": "audio.output.voice", "output_format": "audio.output.format"}
_NESTED = frozenset({"audio", "audio.input", "audio.output"})


class ScopePermit:
    """One scope, asked about events."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    # --- what the client says ------------------------------------------------------------------------------------

    def admit(self, event: ClientEvent) -> ClientEvent | ClientFault:
        """Give the event as it may be done, or the fault to answer with."""
        allowed = self.scope.client_events
        kind = str(type(event).__struct_config__.tag)
        if allowed is not None and kind not in allowed:
            known = ", ".join(sorted(allowed)) or "none"
            return _denied(event, "type", f"This connection may not send '{kind}' events. It may send: {known}.")
        match event:
            case SessionUpdate():
                return msgspec.structs.replace(event, session=self.patch(event.session))
            case ResponseCreate():
                return self._response(event)
            case ConversationItemCreate() if self._is_prompt(event.item):
                return _denied(event, "item.role", _NO_PROMPTS)
            case _:
                return event

    def patch(self, patch: SessionPatch) -> SessionPatch:
        """Take the locked fields out of a session patch."""
        stripped: SessionPatch = _stripped(patch, "", self.scope)
        return stripped

    def _response(self, event: ResponseCreate) -> ResponseCreate | ClientFault:
        params = event.response
        if not isinstance(params.input, UnsetType):
            for index, item in enumerate(params.input):
                if self._is_prompt(item):
                    return _denied(event, f"response.input[{index}].role", _NO_PROMPTS)
        locked = {
            name: default
            for name, default in _defaults(ResponseParams)
            if name not in RESPONSE_OWN and self.scope.locks(_RESPONSE_PATHS.get(name, name))
        }
        return msgspec.structs.replace(event, response=msgspec.structs.replace(params, **locked))

    def _is_prompt(self, item: Any) -> bool:
        return self.scope.locks("instructions") and isinstance(item, MessageItem) and item.role == "system"

    # --- what the client is shown --------------------------------------------------------------------------------

    def shown(self, event: ServerEvent) -> ServerEvent:
        """Give the event as this connection may see it."""
        match event:
            case SessionCreated() | SessionUpdated():
                return msgspec.structs.replace(event, session=self._session(event.session))
            case (
                ConversationItemAdded()
                | ConversationItemDone()
                | ConversationItemRetrieved()
                | OutputItemAdded()
                | OutputItemDone()
            ) if self.scope.hide:
                return msgspec.structs.replace(event, item=self._item(event.item))
            case McpCallArgumentsDelta() if "tools" in self.scope.hide:
                return msgspec.structs.replace(event, delta="")
            case McpCallArgumentsDone() if "tools" in self.scope.hide:
                return msgspec.structs.replace(event, arguments="{}")
            case ResponseDone() if self.scope.hide:
                output = tuple(self._item(item) for item in event.response.output)
                return msgspec.structs.replace(event, response=msgspec.structs.replace(event.response, output=output))
            case _:
                return event

    def _session(self, session: SessionObject) -> SessionObject:
        if not isinstance(session, RealtimeSessionObject):
            return session
        changes: dict[str, Any] = {"parley_locked": self.scope.locked}
        if "instructions" in self.scope.hide:
            changes |= {"instructions": "", "prompt": None}
        if "tools" in self.scope.hide:
            changes |= {"tools": (), "tool_choice": "auto"}
        return msgspec.structs.replace(session, **changes)

    def _item(self, item: ConversationItem) -> ConversationItem:
        """Blank what tells of a hidden prompt or tool; the item itself stays, so that the chain of ids holds."""
        match item:
            case MessageItem(role="system") if "instructions" in self.scope.hide:
                return msgspec.structs.replace(item, content=(InputTextPart(""),))
            case FunctionCallItem(parley_server_side=True) if "tools" in self.scope.hide:
                return msgspec.structs.replace(item, name=_HIDDEN, arguments="{}")
            case FunctionCallOutputItem(parley_server_side=True) if "tools" in self.scope.hide:
                return msgspec.structs.replace(item, output="")
            case McpListToolsItem() if "tools" in self.scope.hide:
                failed = item.error if isinstance(item.error, UnsetType) else _blank(item.error)
                return msgspec.structs.replace(item, tools=(), error=failed)
            case McpCallItem() if "tools" in self.scope.hide:
                output = None if item.output is None else ""
                error = None if item.error is None else _blank(item.error)
                return msgspec.structs.replace(item, name=_HIDDEN, arguments="{}", output=output, error=error)
            case McpApprovalRequestItem() if "tools" in self.scope.hide:
                return msgspec.structs.replace(item, name=_HIDDEN, arguments="{}")
            case _:
                return item


_NO_PROMPTS = (
    "This connection may not add messages of role 'system': the session's instructions are locked. Send them as role "
    "'user', or from your server with its API key."
)

_NO_DETAILS = "The tools of this session are hidden from this connection; the server's operator can look them up."


def _blank(error: McpError) -> McpError:
    """Keep what kind of failure it was; its words name tools and hosts."""
    return msgspec.structs.replace(error, message=_NO_DETAILS)


def _denied(event: ClientEvent, param: str, words: str) -> ClientFault:
    return ClientFault(
        code="permission_denied", message=words, param=param, event_id=event.event_id, type="permission_error"
    )


def _defaults(kind: type[msgspec.Struct]) -> Iterable[tuple[str, Any]]:
    return ((one.name, one.default) for one in msgspec.structs.fields(kind))


def _stripped(value: Any, prefix: str, scope: Scope) -> Any:
    """Unset every locked field of a patch, nested patches included."""
    changes: dict[str, Any] = {}
    for name, default in _defaults(type(value)):
        path = prefix + name
        member = getattr(value, name)
        if member is UNSET:
            continue
        if path in _NESTED and not scope.locks(path):
            changes[name] = _stripped(member, path + ".", scope)
        elif scope.locks(path):
            changes[name] = default
    return msgspec.structs.replace(value, **changes)
