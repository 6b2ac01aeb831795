"""Read a page's markup aloud: the part somebody asked for, or its headings and text. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable
from html.parser import HTMLParser
from types import MappingProxyType
from typing import Final

from parley.engines.local.intent.words import stem

__all__ = ["looks_like_markup", "speak_markup"]

_KINDS: Final = MappingProxyType(
    {
        "title": "title",
        "h1": "heading", "h2": "heading", "h3": "heading", "h4": "heading", "h5": "heading", "h6": "heading",
        "p": "paragraph", "li": "list item", "button": "button", "a": "link", "label": "label", "th": "column",
        "td": "cell", "legend": "legend", "summary": "summary", "option": "option", "figcaption": "caption",
    }
)  # fmt: skip
_ASKED: Final = MappingProxyType(
    {
        stem(word): kind
        for kind, words in {
            "title": "title",
            "heading": "heading headline header title",
            "paragraph": "paragraph text content",
            "list item": "list item bullet",
            "button": "button",
            "link": "link",
            "label": "label field",
            "option": "option menu",
            "cell": "cell table row",
        }.items()
        for word in words.split()
    }
)
_SILENT: Final = frozenset({"script", "style", "template", "noscript", "svg"})
_VOID: Final = frozenset({"br", "img", "input", "hr", "meta", "link"})


class _Reader(HTMLParser):
    """Collects `(kind, text)` in order; text outside known elements has kind `text`."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        elif tag in _KINDS:
            self._open.append(tag)
            self.parts.append((_KINDS[tag], ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in self._open:
            while self._open and self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if not text or self._silent:
            return
        if self._open and self.parts:
            kind, so_far = self.parts[-1]
            self.parts[-1] = (kind, f"{so_far} {text}".strip())
        else:
            self.parts.append(("text", text))


def looks_like_markup(text: str) -> bool:
    """Tell whether a text is HTML rather than prose."""
    head = text.lstrip()
    return head.startswith("<") and ">" in head and "</" in head


def speak_markup(text: str, asked: Iterable[str]) -> str:
    """Say what the page's markup holds; `asked` are stems of the question, which pick the kind of element."""
    reader = _Reader()
    reader.feed(text[:50_000])
    reader.close()
    parts = [(kind, said) for kind, said in reader.parts if said]
    if not parts:
        return "The page has no text."
    present = {kind for kind, _ in parts}
    for one in asked:
        kind = _ASKED.get(one)
        if kind in present:
            found = [said for other, said in parts if other == kind]
            if len(found) == 1:
                return f"The {kind} says: {_ended(found[0])}"
            more = f" and {len(found) - 4} more" if len(found) > 4 else ""
            return f"There are {len(found)} {kind}s: {', '.join(found[:4])}{more}."
    said = [words for kind, words in parts if kind in {"heading", "paragraph", "text", "button", "title"}] or [
        parts[0][1]
    ]
    return "It says: " + " ".join(_ended(words) for words in said[:4])


def _ended(text: str) -> str:
    return text if text[-1] in ".!?" else text + "."
