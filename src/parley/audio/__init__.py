"""PCM in and out of every format: pure functions and small stream objects over the Rust core.

What lives here: the audio format of the whole Python side (24 kHz mono PCM16), blocks of a lane, rate conversion,
voice activity, G.711, Opus, WAV, uploaded files. What does not: anything that waits, any clock, any session.
Errors: `AudioError` (a `ValueError`) ► `UnsupportedAudio` · `CorruptAudio` · `AudioTooLong`; every text names the fix.
Neighbours: `parley._media` computes, `parley.media` moves audio in real time.
"""

from __future__ import annotations

from parley._media import (
    AudioError,
    AudioTooLong,
    CorruptAudio,
    Denoiser,
    OggOpusStream,
    OpusDecoder,
    OpusEncoder,
    Resampler,
    UnsupportedAudio,
    VoiceActivity,
    decode_file,
)
from parley.audio.block import (
    RATE_HZ,
    SAMPLE_BYTES,
    VAD_WINDOW_SAMPLES,
    AudioBlock,
    LaneFeed,
    PcmCarry,
    ms_to_samples,
    pcm_slices,
    samples_to_ms,
)
from parley.audio.g711 import (
    G711_RATE_HZ,
    G711Decoder,
    G711Encoder,
    Law,
    alaw_decode,
    alaw_encode,
    ulaw_decode,
    ulaw_encode,
)
from parley.audio.wav import wav_bytes, wav_header

__all__ = [
    "G711_RATE_HZ",
    "RATE_HZ",
    "SAMPLE_BYTES",
    "VAD_WINDOW_SAMPLES",
    "AudioBlock",
    "AudioError",
    "AudioTooLong",
    "CorruptAudio",
    "Denoiser",
    "G711Decoder",
    "G711Encoder",
    "LaneFeed",
    "Law",
    "OggOpusStream",
    "OpusDecoder",
    "OpusEncoder",
    "PcmCarry",
    "Resampler",
    "UnsupportedAudio",
    "VoiceActivity",
    "alaw_decode",
    "alaw_encode",
    "decode_file",
    "ms_to_samples",
    "pcm_slices",
    "samples_to_ms",
    "ulaw_decode",
    "ulaw_encode",
    "wav_bytes",
    "wav_header",
]
