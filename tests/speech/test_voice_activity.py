"""Voice activity on speech: one stretch for one sentence, its edges where they are, in quiet and in noise."""

from __future__ import annotations

import pytest
from spoken import FLITE_VOICES, HIBARI, edges, noisy, say, silence

from parley.audio import VoiceActivity

pytestmark = [pytest.mark.speech, pytest.mark.timeout(120)]

SENTENCES = ("Turn the page blue please.", "Show me the third planet from the sun and its moons.", "Stop.")
WINDOW_MS = 16
LEAD_MS, TAIL_MS = 1_000, 1_500


def stretches(speech: list[float]) -> list[tuple[int, int]]:
    """Speech from 60 ms above 0.5 until 500 ms below 0.35: when each was noticed, in ms."""
    found: list[tuple[int, int]] = []
    start, above, below = -1, 0, 0
    for window, probability in enumerate(speech, 1):
        above = above + WINDOW_MS if probability >= 0.5 else 0
        below = below + WINDOW_MS if probability < 0.35 else 0
        if start < 0 and above >= 60:
            start, below = window * WINDOW_MS, 0
        elif start >= 0 and below >= 500:
            found.append((start, window * WINDOW_MS))
            start, above = -1, 0
    return found


@pytest.mark.parametrize("snr_db", [None, 20, 10])
@pytest.mark.parametrize("voice", [HIBARI, *FLITE_VOICES])
def test_one_sentence_is_one_stretch_of_speech(voice: str, snr_db: int | None) -> None:
    for sentence in SENTENCES:
        said = say(sentence, voice)
        begin, end = edges(said)
        pcm = silence(LEAD_MS) + said + silence(TAIL_MS)
        if snr_db is not None:
            pcm = noisy(pcm, snr_db)
        found = stretches(VoiceActivity().push(pcm))
        assert len(found) == 1, f"{sentence!r}: {found}"
        noticed_after = found[0][0] - LEAD_MS - begin
        silent_after = found[0][1] - LEAD_MS - end
        assert 0 < noticed_after <= 350, f"{sentence!r}: noticed after {noticed_after} ms"
        assert 400 <= silent_after <= 1_000, f"{sentence!r}: over after {silent_after} ms"
