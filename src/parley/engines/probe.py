"""Look whether well-known model servers answer on their usual local ports, and say which flag would take them.

Here: one quick round of questions to 127.0.0.1, and what the answers mean. Nothing that is found is ever used by
itself: an offer is a line for the terminal and the console. Neighbours: `catalog` (what a flag means), command line.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

__all__ = ["USUAL_PORTS", "Offer", "find_offers", "offers_of"]

USUAL_PORTS: tuple[int, ...] = (11434, 8080, 8000, 8880, 1234)
"""Ollama; llama-server and LocalAI; vLLM and speaches; Kokoro-FastAPI; LM Studio."""

_STT = re.compile(
    r"whisper|parakeet|moonshine|canary|sense-?voice|voxtral|transcri|(?:^|[-_/])(?:asr|stt)(?:$|[-_/])", re.IGNORECASE
)
_TTS = re.compile(r"kokoro|piper|orpheus|chatterbox|parler|(?:^|[-_/])tts(?:$|[-_/\d])|speech-?t5", re.IGNORECASE)
_OTHER = re.compile(r"embed|rerank|(?:^|[-_/])bge|clip|diffusion|flux|moderation|vad|guard", re.IGNORECASE)
_MODEL_NAME = re.compile(r"[\w./:@+-]{1,120}")


@dataclass(frozen=True, slots=True)
class Offer:
    """A server that could run a stage. `flags` is what to add to `parley serve`."""

    stage: str
    software: str
    url: str
    model: str | None

    @property
    def flags(self) -> str:
        """`--llm http://127.0.0.1:11434/v1 --llm-model NAME`"""
        model = f" --{self.stage}-model {self.model}" if self.model else ""
        return f"--{self.stage} {self.url}{model}"


@dataclass(frozen=True, slots=True)
class _Answers:
    """What a port said to the questions, None where it said nothing useful."""

    models: tuple[str, ...] | None
    is_parley: bool
    ollama: bool
    llama_server: bool
    vllm: bool
    voices: bool


async def find_offers(*, ports: Sequence[int] = USUAL_PORTS, budget_ms: int = 300, skip_port: int = 0) -> list[Offer]:
    """Ask every port at once and give what answers in time. `skip_port` is Parley's own. Raises nothing."""
    client = httpx2.AsyncClient(trust_env=False, follow_redirects=False, timeout=budget_ms / 1000)
    async with client:
        found: dict[int, list[Offer]] = {}

        async def ask(port: int) -> None:
            answers = await _ask(client, f"http://127.0.0.1:{port}")
            if answers is not None:
                found[port] = offers_of(port, answers)

        try:
            async with asyncio.timeout(budget_ms / 1000), asyncio.TaskGroup() as group:
                for port in ports:
                    if port != skip_port:
                        group.create_task(ask(port))
        except TimeoutError:
            pass
    return [offer for port in ports for offer in found.get(port, [])]


def offers_of(port: int, answers: _Answers) -> list[Offer]:
    """Say what a port's answers offer: at most one server a stage, and nothing for Parley itself."""
    if answers.is_parley:
        return []
    url = f"http://127.0.0.1:{port}/v1"
    names = answers.models or ()
    recognisers = [name for name in names if _STT.search(name)]
    voices = [name for name in names if _TTS.search(name) and name not in recognisers]
    chats = [name for name in names if not (_STT.search(name) or _TTS.search(name) or _OTHER.search(name))]
    software = _software(port, answers, speech=bool(recognisers or voices))
    offers = []
    if chats and not (answers.voices and voices):
        offers.append(Offer("llm", software, url, chats[0]))
    if recognisers:
        offers.append(Offer("stt", software, url, recognisers[0]))
    if voices or (answers.voices and not recognisers and not offers):
        offers.append(Offer("tts", software, url, voices[0] if voices else None))
    return offers


def _software(port: int, answers: _Answers, *, speech: bool) -> str:
    if answers.ollama:
        return "Ollama"
    if answers.llama_server:
        return "llama-server"
    if answers.vllm:
        return "vLLM"
    if port == 8880 and answers.voices:
        return "Kokoro-FastAPI"
    if port == 8000 and speech:
        return "speaches"
    return {8080: "LocalAI", 1234: "LM Studio"}.get(port, "an OpenAI-compatible server")


async def _ask(client: httpx2.AsyncClient, root: str) -> _Answers | None:
    """Put every question at once; None if nobody listens."""
    paths = ("/v1/models", "/api/version", "/props", "/version", "/v1/audio/voices")
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_get(client, root + path)) for path in paths]
    models, ollama, props, version, voices = (task.result() for task in tasks)
    if all(answer is None for answer in (models, ollama, props, voices)):
        return None
    rows = models.get("data") if isinstance(models, dict) else None
    rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    names = [row.get("id") for row in rows]
    return _Answers(
        models=tuple(name for name in names if isinstance(name, str) and _MODEL_NAME.fullmatch(name)),
        is_parley=any("parley" in row or str(row.get("id")).startswith("parley") for row in rows),
        ollama=isinstance(ollama, dict) and "version" in ollama,
        llama_server=isinstance(props, dict) and ("default_generation_settings" in props or "total_slots" in props),
        vllm=isinstance(version, dict) and "version" in version and not isinstance(ollama, dict),
        voices=voices is not None,
    )


async def _get(client: httpx2.AsyncClient, url: str) -> Any:
    """Give the JSON at `url`, None for anything else."""
    try:
        response = await client.get(url)
        return json.loads(response.content) if response.status_code == 200 else None
    except (httpx2.HTTPError, ValueError):
        return None
