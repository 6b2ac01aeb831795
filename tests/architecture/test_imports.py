"""The arrows of the architecture: which package may import which (ARCHITECTURE.md, "Arrows")."""

from __future__ import annotations

import pytest
from source_tree import imports, modules

PURE = {"protocol", "sdp", "audio"}
CONTENT = {f"parley.protocol.realtime.{name}" for name in ("ids", "items", "tools", "generation")}

ALLOWED: dict[str, set[str]] = {
    "protocol": set(),
    "sdp": set(),
    "audio": set(),
    "auth": {"protocol"},
    "observe": {"protocol"},
    "engines": {"audio", "protocol"},
    "media": {"audio", "sdp"},
    "transports": {"media", "protocol", "audio", "auth"},
    "runtime": {"engines", "media", "protocol", "transports", "audio", "sdp"},
    "agents": {"runtime", "calls", "engines", "media", "protocol", "audio"},
    "calls": {"media", "sdp", "auth", "protocol", "runtime", "audio"},
    "rooms": {"calls", "agents"},
    "client": {"protocol", "audio"},
    "conformance": {"protocol", "audio", "engines", "client"},
    "testing": {"engines", "protocol", "audio", "media", "runtime"},
    "server": {"*"},
    "cli": {"*"},
}
BANNED_IN_PURE = {
    "asyncio", "datetime", "logging", "os", "random", "secrets", "select", "socket", "subprocess", "threading", "time",
    "uuid",
}  # fmt: skip


def part(module: str) -> str:
    pieces = module.split(".")
    return pieces[1] if len(pieces) > 1 else ""


def known(name: str) -> bool:
    return name in modules() or name.rpartition(".")[0] in modules() or name.startswith("parley._media")


@pytest.mark.parametrize("module", [name for name in modules() if "." in name])
def test_a_module_imports_only_what_its_package_may(module: str) -> None:
    own = part(module)
    allowed = ALLOWED[own] | {own}
    for name in imports(module):
        if not name.startswith("parley") or not known(name):
            continue
        target = part(name)
        if target in {"", "__version__"}:
            continue
        if target == "_media":
            assert own == "audio" or module.startswith("parley.media.native"), f"{module} imports {name}"
            continue
        observes = target == "observe" and own not in PURE
        assert "*" in allowed or target in allowed or observes, f"{module} may not import {name}"


@pytest.mark.parametrize("module", [name for name in modules() if part(name) == "engines"])
def test_engines_know_content_but_no_wire_events(module: str) -> None:
    for name in imports(module):
        if name.startswith("parley.protocol.realtime."):
            stem = ".".join(name.split(".")[:4])
            assert stem in CONTENT, f"{module} imports {name}"


@pytest.mark.parametrize("module", [name for name in modules() if part(name) in PURE])
def test_the_pure_packages_reach_for_nothing(module: str) -> None:
    tree = modules()[module]
    reached = {name.split(".")[0] for name in imports(module)}
    assert not reached & BANNED_IN_PURE, module
    import ast

    for node in ast.walk(tree):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith), module
    if part(module) == "protocol":
        third_party = reached - {"parley", "msgspec", "__future__"}
        import sys

        assert third_party <= sys.stdlib_module_names, f"{module}: {third_party}"


@pytest.mark.parametrize("module", [name for name in modules() if part(name) not in {"server", "cli"}])
def test_only_the_composition_roots_read_the_environment(module: str) -> None:
    names = set(imports(module))
    assert not names & {"os.environ", "os.getenv"}, module
    import ast

    for node in ast.walk(modules()[module]):
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}:
            pytest.fail(f"{module} line {node.lineno} reads the environment")
