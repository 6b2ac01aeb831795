"""Which tools a response may use, as functions the model sees, and what stands behind each.

A model knows functions only. Behind one may be the client (it runs the call), this server (a hosted function) or an MCP
server whose tools were listed. Pure: `settle_tools` is asked once per response. Neighbours: `mcp` (knows the listings),
`planning` (asks), `response` (turns a call into the item its target needs).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from parley.protocol.realtime.items import McpToolInfo
from parley.protocol.realtime.request_faults import is_list, is_object
from parley.protocol.realtime.tools import FunctionTool, McpTool, NamedToolChoice, Tool, ToolChoice

__all__ = ["HostedTarget", "McpTarget", "Offer", "Target", "Toolbox", "merged_reference", "settle_tools"]


@dataclass(frozen=True, slots=True)
class HostedTarget:
    """A function that this server runs."""

    name: str


@dataclass(frozen=True, slots=True)
class McpTarget:
    """A tool of an MCP server. `asks_first`: the client must approve each call."""

    server: McpTool
    name: str
    asks_first: bool

    @property
    def continues(self) -> bool:
        """The response goes on by itself once the call has returned."""
        return self.server.parley_continue is True


Target = HostedTarget | McpTarget


@dataclass(frozen=True, slots=True)
class Offer:
    """One listed tool of one MCP server that the session wants to use."""

    server: McpTool
    info: McpToolInfo


@dataclass(frozen=True, slots=True)
class Toolbox:
    """What the model is offered. `targets` holds the functions that the client does not run, by the model's name."""

    functions: tuple[FunctionTool, ...] = ()
    targets: Mapping[str, Target] = field(default_factory=dict[str, Target])
    choice: ToolChoice = "auto"


def settle_tools(
    tools: Iterable[Tool], choice: ToolChoice, *, hosted: Iterable[FunctionTool], offers: Iterable[Offer]
) -> Toolbox:
    """Lay out the tools of a response.

    Where names meet, the hosted function wins, so that no client can answer in its place; then the client's.
    """
    functions = {tool.name: tool for tool in tools if isinstance(tool, FunctionTool)}
    targets: dict[str, Target] = {}
    for tool in hosted:
        functions[tool.name] = tool
        targets[tool.name] = HostedTarget(tool.name)
    for offer in offers:
        if not _allowed(offer):
            continue
        name = (
            offer.info.name if offer.info.name not in functions else f"{offer.server.server_label}__{offer.info.name}"
        )
        if name in functions:
            continue
        functions[name] = FunctionTool(
            name=name, description=offer.info.description or UNSET, parameters=offer.info.input_schema
        )
        targets[name] = McpTarget(offer.server, offer.info.name, _asks_first(offer))
    if isinstance(choice, NamedToolChoice) and choice.type == "mcp":
        return _of_one_server(functions, targets, choice)
    return Toolbox(tuple(functions.values()), targets, choice)


def _of_one_server(
    functions: Mapping[str, FunctionTool], targets: Mapping[str, Target], choice: NamedToolChoice
) -> Toolbox:
    """Force a tool of one MCP server, or its tool `choice.name`; with nothing listed there is nothing to force."""
    of_server = {
        name: target
        for name, target in targets.items()
        if isinstance(target, McpTarget) and target.server.server_label == choice.server_label
    }
    if isinstance(choice.name, str):
        found = next((name for name, target in of_server.items() if target.name == choice.name), None)
        if found is None:
            return Toolbox(tuple(functions.values()), targets)
        return Toolbox(tuple(functions.values()), targets, NamedToolChoice(type="function", name=found))
    if not of_server:
        return Toolbox(tuple(functions.values()), targets)
    return Toolbox(tuple(functions[name] for name in of_server), of_server, "required")


def _allowed(offer: Offer) -> bool:
    return _matches(offer.server.allowed_tools, offer.info, otherwise=True)


def _asks_first(offer: Offer) -> bool:
    """Decide by `require_approval`: "always" (the default), "never", or filters for either."""
    rule: Any = offer.server.require_approval
    if rule == "never":
        return False
    if not is_object(rule) or _matches(rule.get("always"), offer.info, otherwise=False):
        return True
    return not _matches(rule.get("never"), offer.info, otherwise=False)


def _matches(rule: Any, info: McpToolInfo, *, otherwise: bool) -> bool:
    """Tell whether a filter takes the tool: a list of names, or `{tool_names?, read_only?}`."""
    if is_list(rule):
        return info.name in rule
    if not is_object(rule) or not rule:
        return otherwise
    names, read_only = rule.get("tool_names"), rule.get("read_only")
    if is_list(names) and info.name not in names:
        return False
    return not isinstance(read_only, bool) or read_only == _is_read_only(info)


def _is_read_only(info: McpToolInfo) -> bool:
    return not isinstance(info.annotations, UnsetType) and info.annotations.get("readOnlyHint") is True


def merged_reference(reference: McpTool, known: McpTool) -> McpTool:
    """Complete a tool that names only a server's label by what the session knows of that server."""
    given = {name: value for name, value in msgspec.structs.asdict(reference).items() if value is not UNSET}
    return msgspec.structs.replace(known, **given)
