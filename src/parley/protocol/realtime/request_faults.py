"""What is wrong with a request, in the API's words: code, path of the field at fault, and a message that names the fix.

msgspec says where a value does not fit; here that becomes a `ClientFault`. Neighbours: `request_shapes` and `requests`
raise and catch `Refused`; nobody else sees it.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, TypeGuard

import msgspec

from parley.protocol.realtime.errors import ClientFault

__all__ = ["Refused", "convert", "is_list", "is_object", "refused", "spelled_as_written", "validation_fault"]

_AT = re.compile(r" - at `(?:key in )?\$?(.*)`$")
_MISSING = re.compile(r"missing required field `(.+?)`")


class Refused(Exception):  # noqa: N818 - control flow of the request parser, never seen outside
    """Carries a fault up to `requests`."""

    def __init__(self, fault: ClientFault) -> None:
        self.fault = fault


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Tell whether a decoded value is a JSON object."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Tell whether a decoded value is a JSON array."""
    return isinstance(value, list)


def validation_fault(error: msgspec.ValidationError, prefix: str) -> ClientFault:
    """Turn msgspec's complaint about a value at `prefix` into the API's words."""
    text = str(error)
    at = _AT.search(text)
    path = at.group(1).lstrip(".").partition("[...]")[0] if at else ""  # a key of the client's own is not named
    reason = (text[: at.start()] if at else text).replace("`bytes`", "a base64 string")
    missing = _MISSING.search(reason)
    if missing:
        path = f"{path}.{missing.group(1)}" if path else missing.group(1)
    param = ".".join(part for part in (prefix, path) if part) or None
    if missing:
        code, message = "missing_required_parameter", f"Missing required parameter: '{param}'."
    elif reason.startswith("Expected") and ", got" in reason:
        code, message = "invalid_type", f"Invalid type for '{param}': {reason[0].lower()}{reason[1:]}."
    else:
        code, message = "invalid_value", f"Invalid value for '{param}': {reason[0].lower()}{reason[1:]}."
    return ClientFault(code=code, param=param, message=message)


def convert(value: Any, kind: Any, prefix: str) -> Any:
    """Convert a decoded value at `prefix` to a type. Raises `Refused`."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Refused(validation_fault(error, prefix)) from None


def refused(code: str, param: str, message: str) -> Refused:
    """Make a refusal to raise."""
    return Refused(ClientFault(code=code, param=param, message=message))


@contextmanager
def spelled_as_written(paths: Mapping[str, str], written: Mapping[str, Any], prefix: str) -> Generator[None]:
    """Name a field at fault by the client's own key: `paths` leads from flat keys to their places in GA's form."""
    try:
        yield
    except Refused as refusal:
        for key, path in paths.items():
            if key in written:
                _respell(refusal, f"{prefix}.{path}", f"{prefix}.{key}")
        raise


def _respell(refusal: Refused, path: str, own: str) -> None:
    fault = refusal.fault
    if fault.param is not None and re.match(re.escape(path) + r"(?![^.\[])", fault.param):
        param = own + fault.param.removeprefix(path)
        message = fault.message.replace(fault.param, param).replace(path, own)
        refusal.fault = msgspec.structs.replace(fault, param=param, message=message)
