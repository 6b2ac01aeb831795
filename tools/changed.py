"""Check what changed since the last commit: format, lint, types, and the tests of the touched parts, in seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def changed_files() -> list[Path]:
    """Files that differ from HEAD, the untracked ones included."""
    listing = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    paths = [Path(line[3:].split(" -> ")[-1].strip('"')) for line in listing.splitlines()]
    return [path for path in paths if (ROOT / path).is_file()]


def tests_for(path: Path) -> list[str]:
    """The test folders that answer for a source file: its mirror under tests/unit, or the part's own folder."""
    if path.parts[0] == "tests":
        slow = {"browser", "speech", "package", "conformance", "soak"}
        return [str(path)] if path.name.startswith("test_") and path.parts[1] not in slow else []
    if path.parts[:2] != ("src", "parley"):
        return []
    part = path.parts[2].removesuffix(".py")
    candidates = [f"tests/unit/{part}", f"tests/{part}", "tests/architecture"]
    if part == "cli":
        candidates.append("tests/unit/settings")
    return [folder for folder in candidates if (ROOT / folder).exists()]


def run(title: str, *command: str) -> bool:
    """Run one check, print what it says, tell whether it passed."""
    print(f"· {title}", flush=True)
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def main() -> int:
    """Run the checks of everything that changed and stop at the end, not at the first failure."""
    files = changed_files()
    python = [str(path) for path in files if path.suffix in {".py", ".pyi"}]
    passed = True
    if python:
        passed &= run("format", "ruff", "format", "--check", "--quiet", *python)
        passed &= run("lint", "ruff", "check", "--quiet", *python)
        passed &= run("types", "mypy", *[name for name in python if name.endswith(".py")])
        tests = sorted({folder for path in files for folder in tests_for(path)})
        if tests:
            passed &= run("tests", sys.executable, "-m", "pytest", "-q", *tests)
    if any(path.suffix == ".rs" for path in files):
        passed &= run("rust format", "cargo", "fmt", "--check")
        passed &= run("rust lint", "cargo", "clippy", "--release", "--workspace", "--quiet", "--", "-D", "warnings")
        passed &= run("rust tests", "cargo", "test", "--release", "--workspace", "--quiet")
    if any(path.parts[0] == "web" for path in files):
        passed &= run("pages", "npm", "run", "--silent", "--prefix", "web", "check")
        passed &= run("pages' tests", "npm", "test", "--silent", "--prefix", "web")
    print("All good." if passed else "Something is wrong: see above. `make fix` mends format and simple lint.")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
