"""Bodies of the Calls API in the OpenAPI schema: the framework does not read them, so it is told what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody

__all__ = ["documented"]


def documented(kind: type) -> type[Operation]:
    """Make an operation whose request body is `kind`."""
    (schema,), components = msgspec.json.schema_components([kind], ref_template="#/{name}")
    body = _resolved(schema, components)

    @dataclass
    class Documented(Operation):
        def __post_init__(self) -> None:
            content = {"application/json": OpenAPIMediaType(schema=body)}
            self.request_body = RequestBody(content=content, required=False)

    return Documented


def _resolved(schema: Any, components: dict[str, Any]) -> Any:
    """Write types out where they are used; none of them holds itself."""
    if isinstance(schema, list):
        return [_resolved(each, components) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _resolved(components[schema["$ref"].removeprefix("#/")], components)
    return {key: _resolved(each, components) for key, each in schema.items()}
