"""Parley's own test doubles, for your tests as much as for ours: public API.

* fakes of every engine role, driven by scripts: `FakeRecognizer`, `FakeChatModel`, `FakeSynthesizer`,
  `FakeTurnDetector`; `engine_set()` puts them together, with a real cascade
* virtual time: `VirtualTimeLoop`, `VirtualClock`, `run_virtual`
* a misbehaving OpenAI-compatible server: `parley.testing.stub_openai`
* contract suites that any engine can be run through: `parley.testing.contracts`
"""

from parley.testing.engines import engine_set, generation_context, user_says
from parley.testing.fake_chat import FakeChatModel, FakeGeneration, echo
from parley.testing.fake_recognizer import FakeRecognition, FakeRecognizer, Heard
from parley.testing.fake_synthesizer import FakeSpeech, FakeSynthesizer, tone
from parley.testing.fake_turn import FakeTurnDetector
from parley.testing.steps import Call, Hang, Reply, Step, Wait, call, say
from parley.testing.virtual_time import VirtualClock, VirtualTimeLoop, run_virtual

__all__ = [
    "Call",
    "FakeChatModel",
    "FakeGeneration",
    "FakeRecognition",
    "FakeRecognizer",
    "FakeSpeech",
    "FakeSynthesizer",
    "FakeTurnDetector",
    "Hang",
    "Heard",
    "Reply",
    "Step",
    "VirtualClock",
    "VirtualTimeLoop",
    "Wait",
    "call",
    "echo",
    "engine_set",
    "generation_context",
    "run_virtual",
    "say",
    "tone",
    "user_says",
]
