"""Sizes, state and habits that every source file keeps."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from source_tree import ROOT, modules, path_of

SOURCES = sorted(
    path
    for pattern in ("src/**/*.py", "rust/**/*.rs", "web/**/*.ts", "tests/**/*.py", "tools/*", "benchmarks/**/*.py")
    for path in ROOT.glob(pattern)
    if path.is_file() and "node_modules" not in path.parts and "__pycache__" not in path.parts
)
BROAD_CATCHES = {"parley.runtime.supervisor", "parley.server.problems"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_too_long_to_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 800


@pytest.mark.parametrize("module", list(modules()))
def test_a_module_says_what_it_is_for(module: str) -> None:
    assert ast.get_docstring(modules()[module]), module


@pytest.mark.parametrize("module", list(modules()))
def test_public_names_exist(module: str) -> None:
    tree = modules()[module]
    defined = set()
    exported: list[str] = []
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                defined.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                defined.update((alias.asname or alias.name).split(".")[0] for alias in names)
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                exported = ast.literal_eval(value)
            case ast.Assign(targets=targets):
                defined.update(target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                defined.add(name)
    assert set(exported) <= defined, f"{module}: {set(exported) - defined}"


@pytest.mark.parametrize("module", list(modules()))
def test_nothing_catches_everything(module: str) -> None:
    for node in ast.walk(modules()[module]):
        if not isinstance(node, ast.ExceptHandler):
            continue
        names = [node.type] if not isinstance(node.type, ast.Tuple) else node.type.elts
        for name in names:
            assert name is not None, f"{module}:{node.lineno} has a bare except"
            if isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"}:
                assert module in BROAD_CATCHES, f"{module}:{node.lineno} catches {name.id}"


@pytest.mark.parametrize("module", list(modules()))
def test_no_task_is_forgotten(module: str) -> None:
    """Tasks belong to a TaskGroup; a bare `create_task` or `ensure_future` outside `runtime` is fire and forget."""
    for node in ast.walk(modules()[module]):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            bare = isinstance(owner, ast.Name) and owner.id in {"asyncio", "loop"}
            assert not (bare and node.func.attr in {"create_task", "ensure_future"}), f"{module}:{node.lineno}"


@pytest.mark.parametrize("module", list(modules()))
def test_no_module_holds_mutable_state(module: str) -> None:
    """Tables written in capitals are constants by convention; anything else at module level must be immutable."""
    for node in modules()[module].body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if not isinstance(target, ast.Name) or target.id == "__all__" or target.id.lstrip("_").isupper():
                continue
            assert not isinstance(node.value, ast.List | ast.Dict | ast.Set), f"{module}: {target.id}"
            if isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name):
                assert node.value.func.id not in {"dict", "list", "set", "defaultdict", "deque"}, (
                    f"{module}: {target.id}"
                )


DEMO_WORDS = (
    "purple|magenta|turquoise|mercury|venus|mars|jupiter|saturn|uranus|neptune|pluto|planet|end_session|"
    "set_background|change_background|change_background_color|change_font_color|change_button|get_page_HTML|"
    "show_planet|focus_planet|background colou?r"
)


@pytest.mark.parametrize("module", [name for name in modules() if name.startswith("parley.engines")])
def test_engines_know_no_demo(module: str) -> None:
    found = re.search(rf"\b({DEMO_WORDS})\b", path_of(module).read_text(encoding="utf-8"), re.IGNORECASE)
    assert found is None, (module, found)
