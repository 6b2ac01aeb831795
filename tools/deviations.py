"""Collect the `DEVIATION:` comments of the sources into `docs/reference/compatibility.md`; `--check` only compares.

Each such comment says what the vendor does, what Parley does, and why. The page cannot drift from the code.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/reference/compatibility.md"
HEAD = """# Where Parley deliberately differs

Collected from the sources by `tools/deviations.py`; each entry stands where the behaviour is written.
"""
COMMENT = re.compile(r"^\s*(?:#|//)\s?(.*)$")


def deviations(path: Path) -> list[str]:
    """Read the texts of a file's deviation comments, unwrapped."""
    found: list[str] = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if "DEVIATION:" not in line or not COMMENT.match(line):
            continue
        words = []
        for following in lines[number:]:
            match = COMMENT.match(following)
            if not match:
                break
            words.append(match.group(1))
        text = " ".join(words).split("DEVIATION:", 1)[1].strip()
        found.append(text[:1].upper() + text[1:])
    return found


def page() -> str:
    """Write the page's text."""
    sources = [*ROOT.glob("src/**/*.py"), *ROOT.glob("rust/**/*.rs")]
    rows = [f"* {text} — `{path.relative_to(ROOT)}`" for path in sorted(sources) for text in deviations(path)]
    return HEAD + "\n" + "\n".join(rows) + "\n"


def main() -> int:
    """Write or check the page."""
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.read_text(encoding="utf-8") == page() else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
