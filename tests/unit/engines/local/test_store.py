"""The model store against a real pip and real archives, served from a folder instead of an index."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import venv
import zipfile
from dataclasses import asdict, dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from parley.engines.local.manifest import MANIFEST, Carrier, Model, ModelFile
from parley.engines.local.store import ModelStore, ModelStoreError, PullProgress, default_models_dir


@dataclass(frozen=True)
class Shelf:
    """A folder of carrier wheels that pip is told to look into."""

    folder: Path

    @property
    def pip_args(self) -> tuple[str, ...]:
        return ("--no-index", "--find-links", str(self.folder))

    def carrier(self, package: str, members: dict[str, bytes]) -> Carrier:
        """Build a wheel that pip accepts. Its code would fail if anything ever imported or installed it."""
        module = package.replace("-", "_")
        name = f"{module}-1.0-py3-none-any.whl"
        info = f"{module}-1.0.dist-info"
        with zipfile.ZipFile(self.folder / name, "w") as wheel:
            wheel.writestr(f"{module}/__init__.py", "raise SystemExit('a carrier was imported')")
            for member, content in members.items():
                wheel.writestr(member, content)
            wheel.writestr(
                f"{info}/METADATA",
                f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\nRequires-Dist: no-such-package-exists\n",
            )
            wheel.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            wheel.writestr(f"{info}/RECORD", "")
        data = (self.folder / name).read_bytes()
        return Carrier(package, "1.0", hashlib.sha256(data).hexdigest(), len(data))


def model(name: str, carrier: Carrier, **files: bytes) -> Model:
    return Model(
        name=name,
        stage="test",
        title=name,
        licence="MIT",
        carrier=carrier,
        files=tuple(
            ModelFile(file, f"assets/{file}", hashlib.sha256(content).hexdigest(), len(content))
            for file, content in files.items()
        ),
    )


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    folder = tmp_path / "shelf"
    folder.mkdir()
    return Shelf(folder)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "models"


EARS = {"ears": b"e" * 5000, "words": b"w" * 70}
VOICE = {"voice": b"v" * 3_000_000}


@pytest.fixture
def ears(shelf: Shelf) -> Model:
    return model("ears", shelf.carrier("ear-carrier", {f"assets/{k}": v for k, v in EARS.items()}), **EARS)


@pytest.fixture
def voice(shelf: Shelf) -> Model:
    return model("voice", shelf.carrier("voice-carrier", {f"assets/{k}": v for k, v in VOICE.items()}), **VOICE)


def leftovers(root: Path) -> list[str]:
    return sorted(path.name for path in root.glob(".pull-*"))


def test_pull_fetches_what_is_missing_and_reports_every_byte(
    shelf: Shelf, root: Path, ears: Model, voice: Model
) -> None:
    store = ModelStore(root, manifest=(ears, voice), pip_args=shelf.pip_args)
    assert store.missing(["ears", "voice"]) == ("ears", "voice")
    seen: list[PullProgress] = []
    store.pull(["ears", "voice"], seen.append)
    assert store.missing(["ears", "voice"]) == ()
    assert [m.name for m in store.installed()] == ["ears", "voice"]
    for name, content in {**EARS, **VOICE}.items():
        folder = store.path("voice" if name == "voice" else "ears")
        assert (folder / name).read_bytes() == content
    assert store.verify("ears") == ()
    done = [p for p in seen if p.phase == "done"]
    assert [(p.models, p.archive, p.archives) for p in done] == [(("ears",), 1, 2), (("voice",), 2, 2)]
    assert all(
        p.done_bytes == p.total_bytes == c.bytes for p, c in zip(done, (ears.carrier, voice.carrier), strict=True)
    )
    assert leftovers(root) == []


def test_two_models_of_one_carrier_cost_one_download(shelf: Shelf, root: Path) -> None:
    carrier = shelf.carrier("pair", {"assets/a": b"aa", "assets/b": b"bb"})
    store = ModelStore(
        root, manifest=(model("one", carrier, a=b"aa"), model("two", carrier, b=b"bb")), pip_args=shelf.pip_args
    )
    seen: list[PullProgress] = []
    store.pull(["one", "two"], seen.append)
    assert [p.models for p in seen if p.phase == "done"] == [("one", "two")]
    assert store.missing(["one", "two"]) == ()


def test_a_complete_store_pulls_nothing(shelf: Shelf, root: Path, ears: Model) -> None:
    ModelStore(root, manifest=(ears,), pip_args=shelf.pip_args).pull(["ears"])
    seen: list[PullProgress] = []
    ModelStore(root, manifest=(ears,), pip_args=("--no-such-option",)).pull(["ears"], seen.append)
    assert seen == []


def test_a_truncated_file_is_fetched_again(shelf: Shelf, root: Path, ears: Model) -> None:
    store = ModelStore(root, manifest=(ears,), pip_args=shelf.pip_args)
    store.pull(["ears"])
    (root / "ears" / "words").write_bytes(b"w")
    assert store.missing(["ears"]) == ("ears",)
    store.pull(["ears"])
    assert (root / "ears" / "words").read_bytes() == EARS["words"]


def test_verify_names_the_file_that_was_altered(shelf: Shelf, root: Path, ears: Model) -> None:
    store = ModelStore(root, manifest=(ears,), pip_args=shelf.pip_args)
    store.pull(["ears"])
    (root / "ears" / "words").write_bytes(b"x" * 70)
    assert store.missing(["ears"]) == ()
    assert store.verify("ears") == ("words",)


def test_a_carrier_with_another_hash_is_refused(shelf: Shelf, root: Path, ears: Model) -> None:
    forged = replace(ears, carrier=replace(ears.carrier, sha256="0" * 64))
    store = ModelStore(root, manifest=(forged,), pip_args=shelf.pip_args)
    with pytest.raises(ModelStoreError, match=r"not the pinned one.*pip config list"):
        store.pull(["ears"])
    assert store.missing(["ears"]) == ("ears",)
    assert leftovers(root) == []


def test_a_file_with_another_hash_never_appears(shelf: Shelf, root: Path, ears: Model) -> None:
    forged = replace(ears, files=tuple(replace(f, sha256="0" * 64) for f in ears.files))
    with pytest.raises(ModelStoreError, match="ears is not the pinned file"):
        ModelStore(root, manifest=(forged,), pip_args=shelf.pip_args).pull(["ears"])
    assert [path.name for path in root.rglob("*") if path.is_file()] == [".lock"]


def test_an_archive_without_the_member_is_refused(shelf: Shelf, root: Path, ears: Model) -> None:
    odd = replace(ears, files=(replace(ears.files[0], member="assets/nothing"),))
    with pytest.raises(ModelStoreError, match="does not hold assets/nothing"):
        ModelStore(root, manifest=(odd,), pip_args=shelf.pip_args).pull(["ears"])


def test_what_is_complete_survives_a_failure_and_is_not_fetched_again(
    shelf: Shelf, root: Path, ears: Model, voice: Model
) -> None:
    forged = replace(voice, carrier=replace(voice.carrier, sha256="0" * 64))
    with pytest.raises(ModelStoreError):
        ModelStore(root, manifest=(ears, forged), pip_args=shelf.pip_args).pull(["ears", "voice"])
    store = ModelStore(root, manifest=(ears, voice), pip_args=shelf.pip_args)
    assert store.missing(["ears", "voice"]) == ("voice",)
    seen: list[PullProgress] = []
    store.pull(["ears", "voice"], seen.append)
    assert {p.models for p in seen} == {("voice",)}


def test_an_exception_from_the_listener_ends_the_pull_cleanly(shelf: Shelf, root: Path, ears: Model) -> None:
    def stop(progress: PullProgress) -> None:
        if progress.phase == "unpacking":
            raise KeyboardInterrupt

    store = ModelStore(root, manifest=(ears,), pip_args=shelf.pip_args)
    with pytest.raises(KeyboardInterrupt):
        store.pull(["ears"], stop)
    assert leftovers(root) == []
    assert store.missing(["ears"]) == ("ears",)
    store.pull(["ears"])
    assert store.missing(["ears"]) == ()


KILLED = """
import json, os, signal, sys
from pathlib import Path
from parley.engines.local.manifest import Carrier, Model, ModelFile
from parley.engines.local.store import ModelStore
root, pip_args, raw = Path(sys.argv[1]), tuple(json.loads(sys.argv[2])), json.loads(sys.argv[3])
raw["carrier"] = Carrier(**raw["carrier"])
raw["files"] = tuple(ModelFile(**file) for file in raw["files"])
def die(progress):
    if progress.phase == "unpacking":
        os.kill(os.getpid(), signal.SIGKILL)
ModelStore(root, manifest=(Model(**raw),), pip_args=pip_args).pull([raw["name"]], die)
"""


def test_a_killed_pull_leaves_no_half_file_and_no_lock(shelf: Shelf, root: Path, voice: Model) -> None:
    arguments = [str(root), json.dumps(shelf.pip_args), json.dumps(asdict(voice))]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False, timeout=15)
    assert killed.returncode == -9
    assert len(leftovers(root)) == 1
    store = ModelStore(root, manifest=(voice,), pip_args=shelf.pip_args)
    assert store.missing(["voice"]) == ("voice",)
    store.pull(["voice"])
    assert (store.path("voice") / "voice").read_bytes() == VOICE["voice"]
    assert leftovers(root) == []


def test_a_second_pull_waits_for_the_first_and_then_has_nothing_to_do(shelf: Shelf, root: Path, ears: Model) -> None:
    first_holds, second_waits = threading.Event(), threading.Event()
    second_saw: list[PullProgress] = []

    def first(progress: PullProgress) -> None:
        if progress.phase == "downloading" and not first_holds.is_set():
            first_holds.set()
            assert second_waits.wait(10)

    def second(progress: PullProgress) -> None:
        second_saw.append(progress)
        second_waits.set()

    def pull_second() -> None:
        assert first_holds.wait(10)
        ModelStore(root, manifest=(ears,), pip_args=shelf.pip_args).pull(["ears"], second)

    thread = threading.Thread(target=pull_second)
    thread.start()
    ModelStore(root, manifest=(ears,), pip_args=shelf.pip_args).pull(["ears"], first)
    thread.join(10)
    assert not thread.is_alive()
    assert {p.phase for p in second_saw} == {"waiting"}
    assert ModelStore(root, manifest=(ears,)).missing(["ears"]) == ()


class ThrottledIndex(BaseHTTPRequestHandler):
    """A package index with one wheel, whose second half is sent only when the test says so."""

    server: IndexServer

    def do_GET(self) -> None:
        wheel = self.server.wheel
        if self.path.endswith(".whl"):
            half = len(wheel.data) // 2
            self._head("application/octet-stream", len(wheel.data))
            self.wfile.write(wheel.data[:half])
            self.server.half_was_seen.wait(10)
            self.wfile.write(wheel.data[half:])
        else:
            page = f'<a href="/{wheel.name}#sha256={wheel.sha256}">{wheel.name}</a>'.encode()
            self._head("text/html", len(page))
            self.wfile.write(page)

    def _head(self, kind: str, size: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass(frozen=True)
class Wheel:
    name: str
    data: bytes
    sha256: str


class IndexServer(ThreadingHTTPServer):
    def __init__(self, wheel: Wheel) -> None:
        super().__init__(("127.0.0.1", 0), ThrottledIndex)
        self.wheel = wheel
        self.half_was_seen = threading.Event()


def test_progress_is_seen_while_the_download_grows(shelf: Shelf, root: Path) -> None:
    incompressible = np.random.default_rng(1).bytes(3_000_000)
    big = model("big", shelf.carrier("big-carrier", {"assets/big": incompressible}), big=incompressible)
    name = "big_carrier-1.0-py3-none-any.whl"
    seen: list[int] = []
    with IndexServer(Wheel(name, (shelf.folder / name).read_bytes(), big.carrier.sha256)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def watch(progress: PullProgress) -> None:
            if progress.phase == "downloading":
                seen.append(progress.done_bytes)
                if progress.done_bytes > progress.total_bytes // 4:
                    server.half_was_seen.set()

        index = f"http://127.0.0.1:{server.server_port}/simple"
        ModelStore(root, manifest=(big,), pip_args=("--index-url", index)).pull(["big"], watch)
        server.shutdown()
    assert server.half_was_seen.is_set()
    assert seen == sorted(seen)
    assert any(0 < done < big.carrier.bytes for done in seen)
    assert seen[-1] == big.carrier.bytes


def test_a_full_disk_is_told_before_anything_is_fetched(shelf: Shelf, root: Path, ears: Model) -> None:
    huge = replace(ears, carrier=replace(ears.carrier, bytes=10**18))
    with pytest.raises(ModelStoreError, match=r"MB free.*PARLEY_MODELS_DIR"):
        ModelStore(root, manifest=(huge,), pip_args=("--no-such-option",)).pull(["ears"])


def test_a_missing_pip_is_told_with_its_fix(
    tmp_path: Path, root: Path, ears: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
    with pytest.raises(ModelStoreError, match=r"needs pip.*-m ensurepip"):
        ModelStore(root, manifest=(ears,)).pull(["ears"])


def test_an_unreachable_index_is_told_with_its_fix(root: Path, ears: Model) -> None:
    closed = ("--index-url", "http://127.0.0.1:9/simple", "--retries", "1", "--timeout", "2")
    with pytest.raises(ModelStoreError, match=r"could not be reached.*PIP_INDEX_URL") as caught:
        ModelStore(root, manifest=(ears,), pip_args=closed).pull(["ears"])
    assert caught.value.retryable


def test_an_index_without_the_carrier_quotes_pips_own_error(shelf: Shelf, root: Path, ears: Model) -> None:
    gone = replace(ears, carrier=replace(ears.carrier, package="never-published"))
    with pytest.raises(
        ModelStoreError, match=r"could not fetch never-published==1.0: ERROR: .*No matching distribution"
    ):
        ModelStore(root, manifest=(gone,), pip_args=shelf.pip_args).pull(["ears"])


def test_a_folder_that_cannot_be_made_is_told_with_its_fix(tmp_path: Path, ears: Model) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelStoreError, match=r"cannot be used.*PARLEY_MODELS_DIR"):
        ModelStore(tmp_path / "file" / "models", manifest=(ears,)).pull(["ears"])


def test_names_are_checked_and_listed(root: Path, ears: Model) -> None:
    store = ModelStore(root, manifest=(ears,))
    for call in (lambda: store.pull(["nose"]), lambda: store.missing(["nose"]), lambda: store.remove("nose")):
        with pytest.raises(ModelStoreError, match=r"no model 'nose'\. Known models: ears"):
            call()
    with pytest.raises(ModelStoreError, match="parley models pull ears") as caught:
        store.path("ears")
    assert caught.value.code == "models_unavailable"


def test_remove_frees_the_bytes(shelf: Shelf, root: Path, ears: Model) -> None:
    store = ModelStore(root, manifest=(ears,), pip_args=shelf.pip_args)
    assert store.remove("ears") == 0
    store.pull(["ears"])
    assert store.remove("ears") == ears.bytes
    assert store.installed() == ()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"PARLEY_MODELS_DIR": "/m", "XDG_CACHE_HOME": "/c", "HOME": "/h"}, "/m"),
        ({"XDG_CACHE_HOME": "/c", "HOME": "/h"}, "/c/parley/models"),
        ({"HOME": "/h"}, "/h/.cache/parley/models"),
        ({"PARLEY_MODELS_DIR": "", "XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache/parley/models"),
    ],
)
def test_the_default_folder(environ: dict[str, str], expected: str) -> None:
    assert default_models_dir(environ) == Path(expected)


def test_every_file_of_the_real_manifest_is_pinned() -> None:
    for entry in MANIFEST:
        digests = [entry.carrier.sha256, *(file.sha256 for file in entry.files)]
        assert all(len(d) == 64 and set(d) <= set("0123456789abcdef") for d in digests)
        assert entry.licence in {"MIT", "Apache-2.0"}
        assert entry.bytes > 0
