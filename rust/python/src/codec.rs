//! Stateless codecs and whole files.

use parley_media::file;
use parley_media::g711::Law;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::IntoPy;
use crate::pcm::{Octets, Pcm, to_bytes};

fn encode(py: Python<'_>, law: Law, pcm: Pcm) -> Bound<'_, PyBytes> {
    let codes = py.detach(|| law.encode(&pcm.0));
    PyBytes::new(py, &codes)
}

fn decode(py: Python<'_>, law: Law, codes: Octets) -> PyResult<Bound<'_, PyBytes>> {
    let samples = py.detach(|| law.decode(&codes.0));
    to_bytes(py, &samples)
}

/// Encode PCM16 as G.711 µ-law, one byte a sample.
#[pyfunction]
#[pyo3(signature = (pcm, /))]
pub(crate) fn ulaw_encode(py: Python<'_>, pcm: Pcm) -> Bound<'_, PyBytes> {
    encode(py, Law::Mu, pcm)
}

/// Decode G.711 µ-law to PCM16.
#[pyfunction]
#[pyo3(signature = (codes, /))]
pub(crate) fn ulaw_decode(py: Python<'_>, codes: Octets) -> PyResult<Bound<'_, PyBytes>> {
    decode(py, Law::Mu, codes)
}

/// Encode PCM16 as G.711 A-law, one byte a sample.
#[pyfunction]
#[pyo3(signature = (pcm, /))]
pub(crate) fn alaw_encode(py: Python<'_>, pcm: Pcm) -> Bound<'_, PyBytes> {
    encode(py, Law::A, pcm)
}

/// Decode G.711 A-law to PCM16.
#[pyfunction]
#[pyo3(signature = (codes, /))]
pub(crate) fn alaw_decode(py: Python<'_>, codes: Octets) -> PyResult<Bound<'_, PyBytes>> {
    decode(py, Law::A, codes)
}

// A signature that Python can show needs the number itself.
const _: () = assert!(file::DEFAULT_MAX_SECONDS == 7_200);

/// Decode a sound file (wav, flac, mp3, ogg/opus, webm/opus) to 24 kHz mono PCM16.
#[pyfunction]
#[pyo3(signature = (data, /, *, max_seconds = 7_200))]
pub(crate) fn decode_file(py: Python<'_>, data: Octets, max_seconds: u32) -> PyResult<Bound<'_, PyBytes>> {
    let samples = py.detach(|| file::decode(&data.0, max_seconds)).map_err(IntoPy::into_py)?;
    to_bytes(py, &samples)
}
