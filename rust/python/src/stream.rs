//! Objects that carry a stream's state from block to block.

use parley_media::{denoise, resample, vad};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::IntoPy;
use crate::pcm::{Pcm, to_bytes};

/// Convert one mono PCM16 stream from one sample rate to another.
///
/// Rates from 4 000 to 384 000 Hz. Normally output is in phase with input, lags by `delay_ms` and ends with `flush`;
/// n samples become `ceil(n * to_hz / from_hz)`. With `causal` nothing is held back, and the sound is late instead.
#[pyclass(module = "parley._media")]
pub(crate) struct Resampler(resample::Resampler);

#[pymethods]
impl Resampler {
    #[new]
    #[pyo3(signature = (from_hz, to_hz, *, causal = false))]
    fn new(py: Python<'_>, from_hz: u32, to_hz: u32, causal: bool) -> PyResult<Self> {
        let make = if causal { resample::Resampler::causal } else { resample::Resampler::new };
        py.detach(|| make(from_hz, to_hz)).map(Self).map_err(IntoPy::into_py)
    }

    /// Input rate in Hz.
    #[getter]
    fn from_hz(&self) -> u32 {
        self.0.from_hz()
    }

    /// Output rate in Hz.
    #[getter]
    fn to_hz(&self) -> u32 {
        self.0.to_hz()
    }

    /// How far output lags behind input, in milliseconds: held back, or late where `causal`.
    #[getter]
    fn delay_ms(&self) -> f64 {
        self.0.delay_samples() as f64 * 1_000.0 / f64::from(self.0.from_hz())
    }

    /// Convert a block; what the filter still needs is held back.
    #[pyo3(signature = (pcm, /))]
    fn push<'py>(&mut self, py: Python<'py>, pcm: Pcm) -> PyResult<Bound<'py, PyBytes>> {
        let samples = py.detach(|| self.0.push_pcm16(&pcm.0));
        to_bytes(py, &samples)
    }

    /// End the stream: return what was held back and be as new.
    fn flush<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let samples = py.detach(|| self.0.flush_pcm16());
        to_bytes(py, &samples)
    }
}

/// Hear whether someone speaks: a probability in 0..1 for every 16 ms (384 samples) of a 24 kHz stream.
///
/// Windows follow each other from the first sample on and are answered by the block that ends them. 0.5 is where the
/// protocol's default threshold begins a turn, 0.35 where the usual hysteresis ends it.
#[pyclass(module = "parley._media")]
pub(crate) struct VoiceActivity(vad::VoiceActivity);

#[pymethods]
impl VoiceActivity {
    #[new]
    fn new() -> Self {
        Self(vad::VoiceActivity::new())
    }

    /// Listen to a block of PCM16 and return a probability for each window that ends in it.
    #[pyo3(signature = (pcm, /))]
    fn push(&mut self, py: Python<'_>, pcm: Pcm) -> Vec<f32> {
        py.detach(|| {
            let mut speech = Vec::with_capacity(pcm.0.len() / vad::WINDOW_SAMPLES + 1);
            self.0.push(&pcm.0, &mut speech);
            speech
        })
    }

    /// Forget everything heard; the next sample begins a window.
    fn reset(&mut self) {
        self.0.reset();
    }
}

/// Reduce the noise of a 24 kHz stream: `n` samples in are `n` samples out, `delay_samples` late.
///
/// `far` for a microphone across the room, otherwise it is at the mouth; `strength` from 0 (nothing) to 1.
#[pyclass(module = "parley._media")]
pub(crate) struct Denoiser(denoise::Denoiser);

#[pymethods]
impl Denoiser {
    #[new]
    #[pyo3(signature = (*, far = false, strength = 1.0))]
    fn new(far: bool, strength: f32) -> Self {
        Self(denoise::Denoiser::new(field(far), strength))
    }

    /// How late the output is, in samples.
    #[getter]
    fn delay_samples(&self) -> usize {
        self.0.delay_samples()
    }

    /// Change the setting for what comes next.
    #[pyo3(signature = (*, far, strength))]
    fn set(&mut self, far: bool, strength: f32) {
        self.0.set(field(far), strength);
    }

    /// Take a block of PCM16 and return one of the same length.
    #[pyo3(signature = (pcm, /))]
    fn push<'py>(&mut self, py: Python<'py>, pcm: Pcm) -> PyResult<Bound<'py, PyBytes>> {
        let samples = py.detach(|| self.0.push_pcm16(&pcm.0));
        to_bytes(py, &samples)
    }

    /// Forget everything heard.
    fn reset(&mut self) {
        self.0.reset();
    }
}

fn field(far: bool) -> denoise::Field {
    if far { denoise::Field::Far } else { denoise::Field::Near }
}
