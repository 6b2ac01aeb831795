"""The keyless engines alone, without a session around them: how long a speaker waits for each, alone and with others.

`read` is from the end of the audio to its text with nothing prepared; `settled` is the same when the decode began with
the silence, half a second before. `first sound` and `first word` are what synthesis and small talk add.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from functools import partial

from parley.audio import RATE_HZ
from parley.engines.base import RecognitionOptions
from parley.engines.local.hibari_tts import HibariSynthesizer
from parley.engines.local.moonshine import MoonshineRecognizer
from parley.engines.local.smollm import BUSY_ANSWER, SmolLm
from parley.engines.local.store import default_models_dir
from parley.protocol.realtime.generation import EngineUsage, GenerationContext, TextDelta
from parley.protocol.realtime.ids import ResponseId
from parley.protocol.realtime.items import InputTextPart, MessageItem

ROUNDS = 7
TEXT = (
    "We walked along the river until it was dark. Then the lights of the old town came on, one after another. "
    "Nobody spoke for a long while. In the morning we bought bread, cheese and apples at the market."
)
SENTENCES = ("Yes.", "Where is the nearest coffee shop?", TEXT.split(". ")[1] + ".", TEXT)
QUESTIONS = ("How are you today?", "I like walking by the sea.", "Tell me a story about a boat.", "I am a bit bored.")


async def main_async() -> None:
    """Measure one engine after the other, then all at once."""
    models = default_models_dir(os.environ)
    recognizer, synthesizer, chat = MoonshineRecognizer(models), HibariSynthesizer(), SmolLm(models)
    for engine in (recognizer, synthesizer, chat):
        took, _ = await timed(engine.warm_up)
        print(f"warm-up of {engine.info.name}: {took:.0f} ms")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, medians of {ROUNDS}\n")
    speech = await sound_of(synthesizer, f"{TEXT} {TEXT}")
    await measure_recognition(recognizer, speech)
    await measure_synthesis(synthesizer)
    await measure_chat(chat)
    await measure_company(recognizer, synthesizer, chat, speech)
    for engine in (recognizer, synthesizer, chat):
        await engine.aclose()


async def measure_recognition(recognizer: MoonshineRecognizer, speech: bytes) -> None:
    """Print what a turn of each length costs its speaker."""
    print("| turn | read | settled | of real time |\n|---|---|---|---|")
    for seconds in (1, 2, 3, 5, 10, 20):
        clip = speech[: seconds * RATE_HZ * 2]
        read = await median(partial(read_turn, recognizer, clip))
        settled = await median(partial(read_settled_turn, recognizer, clip))
        print(f"| {seconds} s | {read:.0f} ms | {settled:.1f} ms | {read / seconds / 10:.1f} % |")


async def measure_synthesis(synthesizer: HibariSynthesizer) -> None:
    """Print how long texts of several lengths take to begin and to end."""
    print("\n| text | first sound | all | audio |\n|---|---|---|---|")
    for text in SENTENCES:
        runs = [await speak(synthesizer, text) for _ in range(ROUNDS)]
        first, whole = (statistics.median(run[k] for run in runs) for k in (0, 1))
        print(f"| {len(text.split())} words | {first:.0f} ms | {whole:.0f} ms | {runs[0][2]:.1f} s |")


async def measure_chat(chat: SmolLm) -> None:
    """Print how long small talk takes to begin, and its rate."""
    runs = [await talk(chat, question) for question in QUESTIONS * 2]
    first = statistics.median(run[0] for run in runs)
    rate = statistics.median(run[2] / (run[1] - run[0]) * 1000 for run in runs if run[2] > 1)
    print(f"\nsmall talk: first word {first:.0f} ms, {rate:.0f} tokens a second")


async def measure_company(
    recognizer: MoonshineRecognizer, synthesizer: HibariSynthesizer, chat: SmolLm, speech: bytes
) -> None:
    """Print what each of several speakers waits when all of them stop at the same moment."""
    clip = speech[: 3 * RATE_HZ * 2]
    print("\n| at the same moment | read (3 s) | first sound (6 words) | first word | told to wait |")
    print("|---|---|---|---|---|")
    for count in (1, 2, 3, 4):
        reads = await asyncio.gather(*(timed(lambda: read_turn(recognizer, clip)) for _ in range(count)))
        sounds = await asyncio.gather(*(speak(synthesizer, SENTENCES[1]) for _ in range(count)))
        talks = await asyncio.gather(*(talk(chat, QUESTIONS[k]) for k in range(count)))
        worst = [max(took for took, _ in reads), max(run[0] for run in sounds), max(run[0] for run in talks)]
        told = sum(run[3] for run in talks)
        print(f"| {count} | {worst[0]:.0f} ms | {worst[1]:.0f} ms | {worst[2]:.0f} ms | {told} |")


async def timed(act: Callable[[], Awaitable[object]]) -> tuple[float, object]:
    """Milliseconds that `act` took, and its result."""
    began = time.perf_counter()
    result = await act()
    return (time.perf_counter() - began) * 1000, result


async def median(act: Callable[[], Awaitable[float | None]]) -> float:
    """The median of several runs: of the times they return, or else of the times they took."""
    times = []
    for _ in range(ROUNDS):
        took, own = await timed(act)
        times.append(own if isinstance(own, float) else took)
    return statistics.median(times)


async def sound_of(synthesizer: HibariSynthesizer, text: str) -> bytes:
    """Speak a text."""
    return b"".join([chunk.pcm async for chunk in synthesizer.speak(text, voice="", speed=1.0)])


async def read_turn(recognizer: MoonshineRecognizer, pcm: bytes) -> None:
    """Read a turn that was never settled."""
    recognition = recognizer.open(RecognitionOptions())
    recognition.feed(pcm)
    await recognition.finish()


async def read_settled_turn(recognizer: MoonshineRecognizer, pcm: bytes) -> float:
    """Read a turn whose silence is fed in real time; give the milliseconds that finishing took."""
    recognition = recognizer.open(RecognitionOptions())
    recognition.feed(pcm)
    recognition.settle()
    for _ in range(25):
        recognition.feed(bytes(RATE_HZ // 50 * 2))
        await asyncio.sleep(0.02)
    took, _ = await timed(recognition.finish)
    return took


async def speak(synthesizer: HibariSynthesizer, text: str) -> tuple[float, float, float]:
    """Milliseconds to the first chunk and to the last, and seconds of audio."""
    began, first, size = time.perf_counter(), 0.0, 0
    async for chunk in synthesizer.speak(text, voice="", speed=1.0):
        first = first or time.perf_counter() - began
        size += len(chunk.pcm)
    return first * 1000, (time.perf_counter() - began) * 1000, size / RATE_HZ / 2


async def talk(chat: SmolLm, question: str) -> tuple[float, float, int, bool]:
    """Milliseconds to the first word and to the last, tokens, and whether the speaker was told to wait."""
    item = MessageItem(id="item_1", role="user", content=(InputTextPart(question),))
    context = GenerationContext(
        response_id=ResponseId("resp_1"),
        instructions="",
        items=(item,),
        tools=(),
        tool_choice="none",
        output_modality="text",
        voice="",
        speed=1.0,
        max_output_tokens=None,
    )
    began, first, tokens, text = time.perf_counter(), 0.0, 0, ""
    async for chunk in chat.generate(context):
        if isinstance(chunk, TextDelta):
            first = first or time.perf_counter() - began
            text += chunk.text
        elif isinstance(chunk, EngineUsage):
            tokens = chunk.output_text_tokens
    return first * 1000, (time.perf_counter() - began) * 1000, tokens, text == BUSY_ANSWER


def main() -> None:
    """Run everything."""
    asyncio.run(main_async())


if __name__ == "__main__":
    main()
