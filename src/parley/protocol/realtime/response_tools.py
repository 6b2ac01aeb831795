"""Calls of a response that the server runs: hosted functions, tools of MCP servers, and requests for approval.

A client runs its own functions (`response_items.CallInProgress`); these it only watches:

* a hosted function's call and its output are items of the conversation, not outputs of the response, so that no client
  mistakes the call for its own; the response waits for it and is then generated on;
* an MCP call is an output; its item is done once the tool has returned, and the response waits for it;
* a call that needs approval becomes a request (`ApprovalAsked`); the response does not wait.

Each run is closed exactly once. One that is cut short abandons its run, and the model is never told of it.
Neighbours: `response` (owns these), `mcp` (approvals, approved calls), `toolbox` (targets).
"""

from __future__ import annotations

import msgspec

from parley.protocol.realtime.context import failure_text
from parley.protocol.realtime.conversation import Entry
from parley.protocol.realtime.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    Item,
    ItemStatus,
    McpApprovalRequestItem,
    McpCallItem,
    McpError,
)
from parley.protocol.realtime.outputs import AbandonTool, CallTool
from parley.protocol.realtime.response_items import Place
from parley.protocol.realtime.server_events import (
    ConversationItemAdded,
    ConversationItemDone,
    McpCallArgumentsDelta,
    McpCallArgumentsDone,
    McpCallCompleted,
    McpCallFailed,
    McpCallInProgress,
)
from parley.protocol.realtime.toolbox import McpTarget

__all__ = ["ApprovalAsked", "HostedRun", "McpRun", "ToolRun", "readable"]

_CUT_SHORT = McpError(type="tool_execution_error", message="The response was cancelled before the tool returned.")


class HostedRun:
    """A call of one of the server's own functions."""

    continues = True

    def __init__(self, place: Place, call_id: str, name: str) -> None:
        self._place = place
        self.arguments = ""
        self.running = False
        self.done = False
        self.told_before = False
        self._output: Entry | None = None
        self.entry = Entry(
            FunctionCallItem(
                id=place.effects.item_id(),
                call_id=call_id,
                name=name,
                arguments="",
                status="in_progress",
                parley_server_side=True,
            )
        )
        self._call_id = call_id
        self._name = name
        self._add(self.entry)

    def argue(self, arguments: str) -> None:
        """Take more of the arguments."""
        self.arguments += arguments

    def complete(self, arguments: str) -> None:
        """Run it."""
        self.arguments = arguments
        self.running = True
        self._place.effects.add(CallTool(self.entry.id, self._name, arguments, None, self._place.response_id))

    def returned(self, result: str | McpError) -> None:
        """Take what the function gave: the model is told either way."""
        text = failure_text(result) if isinstance(result, McpError) else result
        self.running = False
        self._close_call("completed")
        output = FunctionCallOutputItem(
            id=self._place.effects.item_id(), call_id=self._call_id, output=text, parley_server_side=True
        )
        self._output = Entry(output)
        self._add(self._output)
        self._done(self._output)

    def close(self) -> None:
        """Give it up, if it has not returned."""
        if self.done:
            return
        if self.running:
            self.running = False
            self._place.effects.add(AbandonTool(self.entry.id))
        self._close_call("incomplete")

    def told(self) -> tuple[Item, ...]:
        """Give what the model is told of it when its response goes on."""
        items = (self.entry.item, self._output.item if self._output is not None else None)
        return tuple(item for item in items if isinstance(item, FunctionCallItem | FunctionCallOutputItem))

    def _close_call(self, status: ItemStatus) -> None:
        self.done = True
        if isinstance(self.entry.item, FunctionCallItem):
            self.entry.item = msgspec.structs.replace(self.entry.item, arguments=self.arguments, status=status)
        self._done(self.entry)

    def _add(self, entry: Entry) -> None:
        if self._place.in_conversation:
            previous = self._place.conversation.add(entry)
            event_id = self._place.effects.event_id()
            self._place.effects.send(
                ConversationItemAdded(event_id=event_id, previous_item_id=previous, item=entry.item)
            )

    def _done(self, entry: Entry) -> None:
        if self._place.conversation.holds(entry):
            previous = self._place.conversation.previous_id(entry)
            event_id = self._place.effects.event_id()
            self._place.effects.send(
                ConversationItemDone(event_id=event_id, previous_item_id=previous, item=entry.item)
            )


class McpRun:
    """A call of an MCP server's tool that needs no approval."""

    def __init__(self, place: Place, target: McpTarget, call_id: str, name: str) -> None:
        self._place = place
        self._target = target
        self._call_id = call_id
        self._name = name
        self.arguments = ""
        self.running = False
        self.done = False
        self.told_before = False
        self.continues = target.continues
        self.entry = Entry(
            McpCallItem(
                id=place.effects.item_id(), server_label=target.server.server_label, name=target.name, arguments=""
            )
        )
        place.begin(self.entry)

    def argue(self, arguments: str) -> None:
        """Send more of the arguments."""
        if not arguments:
            return
        self.arguments += arguments
        self._place.effects.send(
            McpCallArgumentsDelta(
                event_id=self._place.effects.event_id(),
                response_id=self._place.response_id,
                item_id=self.entry.id,
                output_index=self._place.output_index,
                delta=arguments,
            )
        )

    def complete(self, arguments: str) -> None:
        """Send what is missing of the arguments, and run it."""
        if arguments.startswith(self.arguments):
            self.argue(arguments[len(self.arguments) :])
        self.arguments = arguments
        self._end_arguments()
        self.running = True
        self._say(McpCallInProgress)
        target = self._target
        self._place.effects.add(CallTool(self.entry.id, target.name, arguments, target.server, self._place.response_id))

    def returned(self, result: str | McpError) -> None:
        """Take what the tool gave."""
        self.running = False
        if isinstance(result, McpError):
            self._finish(McpCallFailed, error=result)
        else:
            self._finish(McpCallCompleted, output=result)

    def close(self) -> None:
        """Give it up, if it has not returned."""
        if self.done:
            return
        if self.running:
            self.running = False
            self._place.effects.add(AbandonTool(self.entry.id))
        else:
            self._end_arguments()
        self._finish(McpCallFailed, error=_CUT_SHORT)

    def told(self) -> tuple[Item, ...]:
        """Give what the model is told of it when its response goes on."""
        item = self.entry.item
        if not isinstance(item, McpCallItem):
            return ()
        text = item.output or "" if item.error is None else failure_text(item.error)
        return (
            FunctionCallItem(id=item.id, call_id=self._call_id, name=self._name, arguments=item.arguments),
            FunctionCallOutputItem(id=item.id, call_id=self._call_id, output=text),
        )

    def _end_arguments(self) -> None:
        if isinstance(self.entry.item, McpCallItem):
            self.entry.item = msgspec.structs.replace(self.entry.item, arguments=self.arguments)
        self._place.effects.send(
            McpCallArgumentsDone(
                event_id=self._place.effects.event_id(),
                response_id=self._place.response_id,
                item_id=self.entry.id,
                output_index=self._place.output_index,
                arguments=self.arguments,
            )
        )

    def _finish(
        self,
        event: type[McpCallCompleted | McpCallFailed],
        *,
        output: str | None = None,
        error: McpError | None = None,
    ) -> None:
        self.done = True
        if isinstance(self.entry.item, McpCallItem):
            self.entry.item = msgspec.structs.replace(self.entry.item, output=output, error=error)
        self._say(event)
        self._place.finish(self.entry)

    def _say(self, event: type[McpCallInProgress | McpCallCompleted | McpCallFailed]) -> None:
        effects = self._place.effects
        effects.send(event(event_id=effects.event_id(), item_id=self.entry.id, output_index=self._place.output_index))


class ApprovalAsked:
    """The question whether the model may call an MCP server's tool: begun and finished at once."""

    done = True

    def __init__(self, place: Place, target: McpTarget, arguments: str) -> None:
        self.entry = Entry(
            McpApprovalRequestItem(
                id=place.effects.item_id(),
                server_label=target.server.server_label,
                name=target.name,
                arguments=arguments,
            )
        )
        place.begin(self.entry)
        place.finish(self.entry)


ToolRun = HostedRun | McpRun


def readable(arguments: str) -> str:
    """Give arguments that a client can parse: agents-js throws on a request with others."""
    try:
        return arguments if isinstance(msgspec.json.decode(arguments), dict) else "{}"
    except msgspec.DecodeError:
        return "{}"
