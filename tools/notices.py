"""Write the licences of everything the Rust module links statically into `src/parley/third_party_licences.txt`.

The wheel carries the file, as those licences ask. What the pages bundle has its own file beside them (`web/build.mjs`).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src/parley/third_party_licences.txt"
LICENCE = re.compile(r"^(licen[cs]e|copying|notice|unlicense|copyright)", re.IGNORECASE)
NESTED = ("opus",)
"""Folders of C sources that a crate carries, with licences of their own."""


def linked_crates() -> list[dict[str, str]]:
    """List the crates that end up in the module: normal dependencies, without proc macros and our own."""
    edges = ["--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"]
    command = ["cargo", "tree", "--locked", "--package", "parley-python", *edges]
    tree = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    wanted = {tuple(line.split()[:2]) for line in tree.splitlines() if line and "(" not in line.replace("(*)", "")}
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version=1", "--locked"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    packages: list[dict[str, str]] = json.loads(metadata)["packages"]
    return [package for package in packages if (package["name"], f"v{package['version']}") in wanted]


def licence_texts(folder: Path) -> list[str]:
    """Read the licence files of a crate, those of C sources it carries included."""
    places = [folder, *(folder / name for name in NESTED)]
    files = [file for place in places if place.is_dir() for file in sorted(place.iterdir()) if LICENCE.match(file.name)]
    return [file.read_text(encoding="utf-8", errors="replace").strip() for file in files if file.is_file()]


def main() -> int:
    """Write the file; a crate without any licence text is listed with the licence it names."""
    parts = []
    for package in linked_crates():
        texts = licence_texts(Path(package["manifest_path"]).parent)
        head = f"{package['name']} {package['version']} ({package['license']})"
        parts.append("\n\n".join([head, *texts]))
    TARGET.write_text(f"\n\n{'-' * 80}\n\n".join(parts) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
