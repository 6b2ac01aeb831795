"""The console in Debian's Chromium: runs the drivers of `web/drive` and reads what they bring back.

A recording has both sides of a conversation on one clock, that of the page's AudioContext: the microphone left, the
speaker right. What was audible is judged on it, not on events.
"""

from __future__ import annotations

import json
import subprocess
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from parley.audio import RATE_HZ, Resampler

__all__ = ["Recording", "Stretch", "Talk", "artifacts", "hold", "run_driver"]

ROOT = Path(__file__).parents[2]
_STEP_S = 0.02
_VOICED = 60.0
"""RMS of 16-bit samples above which a step of 20 ms counts as voice; silence of a speaker is 0."""


def artifacts(name: str) -> Path:
    """Give a folder for what people will want to look at."""
    folder = ROOT / "artifacts" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run_driver(name: str, *arguments: str, limit_s: float) -> None:
    """Run one of `web/drive`. Fails with what it printed, and names the fix where the pages are not built."""
    assert (ROOT / "web/node_modules").is_dir(), "the page's packages are missing: run `make build`"
    assert (ROOT / "src/parley/web_assets/console/index.html").is_file(), "the pages are not built: run `make build`"
    command = ["node", str(ROOT / "web/drive" / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    assert done.returncode == 0, f"{name} failed:\n{done.stdout}\n{done.stderr}"


@dataclass(frozen=True)
class Stretch:
    """A stretch of voice, in seconds of the recording."""

    start_s: float
    end_s: float


class Recording:
    """Both sides of a conversation on one clock."""

    def __init__(self, path: Path) -> None:
        with wave.open(str(path)) as file:
            self.rate = file.getframerate()
            both = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
        self.microphone: npt.NDArray[np.int16] = both[:, 0]
        self.speaker: npt.NDArray[np.int16] = both[:, 1]

    @property
    def length_s(self) -> float:
        return float(len(self.speaker) / self.rate)

    def voiced(self, side: npt.NDArray[np.int16], *, pause_s: float = 1.0) -> list[Stretch]:
        """Find where somebody speaks; pauses shorter than `pause_s` belong to the speech around them."""
        step = round(self.rate * _STEP_S)
        blocks = side[: len(side) // step * step].reshape(-1, step).astype(np.float64)
        loud = np.flatnonzero(np.sqrt((blocks**2).mean(axis=1)) > _VOICED) * _STEP_S
        found: list[Stretch] = []
        for at in loud:
            if found and at - found[-1].end_s < pause_s:
                found[-1] = Stretch(found[-1].start_s, float(at) + _STEP_S)
            else:
                found.append(Stretch(float(at), float(at) + _STEP_S))
        return found

    def loudest(self, side: npt.NDArray[np.int16], start_s: float, end_s: float) -> int:
        """Give the largest sample between two instants."""
        part = side[round(start_s * self.rate) : round(end_s * self.rate)].astype(np.int32)
        return int(np.abs(part).max(initial=0))

    def pcm(self, side: npt.NDArray[np.int16], start_s: float, end_s: float) -> bytes:
        """Cut out a piece, as the recogniser wants it: PCM16 at 24 kHz."""
        part = side[max(0, round(start_s * self.rate)) : round(end_s * self.rate)]
        if self.rate == RATE_HZ:
            return part.tobytes()
        resampler = Resampler(self.rate, RATE_HZ)
        return resampler.push(part.tobytes()) + resampler.flush()


@dataclass(frozen=True)
class Talk:
    """What a conversation in the browser brought back."""

    folder: Path
    seen: dict[str, Any]
    events: list[dict[str, Any]]

    @property
    def recording(self) -> Recording:
        return Recording(self.folder / "recording.wav")

    def lines(self, who: str) -> list[dict[str, str]]:
        """Give the transcript's lines of `You`, `Parley` or `Function`."""
        return [line for line in self.seen["lines"] if line["who"] == who]

    def said(self, who: str) -> list[str]:
        """Give what was said by the events: by `user` or `assistant`, in order."""
        kind = {
            "user": "conversation.item.input_audio_transcription.completed",
            "assistant": "response.output_audio_transcript.done",
        }[who]
        return [event["transcript"] for event in self.of(kind)]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Give the events of one type, either way."""
        return [row["event"] for row in self.events if row["event"].get("type") == kind]


def hold(folder: Path, plan: dict[str, Any], driver: str = "conversation.mjs") -> Talk:
    """Hold one conversation by the plan (see the driver in `web/drive`)."""
    file = folder / "plan.json"
    file.write_text(json.dumps({"out": str(folder), **plan}))
    run_driver(driver, str(file), limit_s=float(plan["limit_s"]) + 60)
    rows = (folder / "events.jsonl").read_text().splitlines()
    return Talk(folder, json.loads((folder / "result.json").read_text()), [json.loads(row) for row in rows])
