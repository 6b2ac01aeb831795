"""`parley models pull`: which models its names mean. Fetching itself is the store's, and tested there."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from parley.cli import fetching
from parley.cli.models import command

DEFAULT = ("moonshine-tiny-en", "smollm2-135m-instruct")


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ([], DEFAULT),
        (["default"], DEFAULT),
        (["default", "two-cities"], (*DEFAULT, "two-cities")),
        (["moonshine-tiny-en", "default"], DEFAULT),
        (["two-cities"], ("two-cities",)),
    ],
)
def test_pull_means(names: list[str], wanted: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def fetch(_: object, __: object, models: tuple[str, ...]) -> tuple[str, ...]:
        asked.append(models)
        return models

    monkeypatch.setattr(fetching, "fetch_missing", fetch)
    result = CliRunner().invoke(command, ["pull", *names])
    assert (result.exit_code, asked) == (0, [wanted]), result.output
