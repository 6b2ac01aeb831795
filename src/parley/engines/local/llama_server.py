"""Run llama.cpp's server inside this process, reachable by nobody else.

What lives here: loading a GGUF model through xllamacpp and streaming one chat completion. What does not: prompts,
bounds, the event loop; `smollm` is the user.

xllamacpp opens an HTTP listener next to its in-process calls. It would let any program of this machine read what is
said, so it is put on a Unix socket in a private folder that is deleted as soon as it listens (elsewhere: on loopback,
behind a random key). One compute thread that does not spin: on shared cores two of them are thirty times slower.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parley.engines.base import EngineError

__all__ = ["LlamaServer", "Piece"]

_CONTEXT_TOKENS_EACH = 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a completion: its text, why it ended (if it did), and the counts so far."""

    text: str
    finish_reason: str | None
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int


class LlamaServer:
    """A loaded model that completes up to `parallel` chats at a time. Freed when it is forgotten."""

    def __init__(self, model: Path, *, parallel: int) -> None:
        """Load `model`; blocks for half a second. Raises `EngineError`."""
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        params.n_parallel = parallel
        params.n_ctx = _CONTEXT_TOKENS_EACH * parallel
        params.n_gpu_layers = 0
        for threads in (params.cpuparams, params.cpuparams_batch):
            threads.n_threads = 1
            threads.poll = 0
        params.cache_ram_mib = 0
        params.offline = True
        params.verbosity = -1
        params.ui = False
        params.endpoint_slots = False
        params.n_threads_http = 1
        params.api_keys = [secrets.token_urlsafe(32)]
        with tempfile.TemporaryDirectory(prefix="parley-llm-") as private:
            if sys.platform != "win32":
                params.hostnames = [f"{private}/llm.sock"]
            try:
                self._server: Any = xllamacpp.Server(params)
            except RuntimeError as error:
                raise EngineError(
                    f"The model {model.name} could not be loaded. Check its file with: parley doctor",
                    code="model_unreadable",
                ) from error

    def complete(self, request: dict[str, Any], on_piece: Callable[[Piece], bool]) -> None:
        """Stream a chat completion to `on_piece`, which says whether to go on. Blocks. Raises `EngineError`."""
        failures: list[str] = []

        def receive(chunks: Any) -> bool:
            """Take one chunk or a list of them; true stops the generation within a token."""
            for chunk in chunks if isinstance(chunks, list) else [chunks]:
                if "error" in chunk:
                    failures.append(str(chunk["error"].get("type", "unknown")))
                    return True
                if not on_piece(_piece(chunk)):
                    return True
            return False

        fixed = {"stream": True, "cache_prompt": True, "timings_per_token": True}
        try:
            self._server.handle_chat_completions({**request, **fixed}, receive)
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"The small-talk model failed ({type(error).__name__}).", retryable=True) from error
        if failures:
            raise EngineError(f"The small-talk model failed ({failures[0]}).", retryable=True)


def _piece(chunk: dict[str, Any]) -> Piece:
    choice = (chunk.get("choices") or [{}])[0]
    timings = chunk.get("timings") or {}
    cached = int(timings.get("cache_n", 0))
    return Piece(
        text=choice.get("delta", {}).get("content") or "",
        finish_reason=choice.get("finish_reason"),
        prompt_tokens=cached + int(timings.get("prompt_n", 0)),
        cached_tokens=cached,
        output_tokens=int(timings.get("predicted_n", 0)),
    )
