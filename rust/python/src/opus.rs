//! Opus packets and streams. Each object may be called from any thread; calls take turns.

use std::sync::{Mutex, MutexGuard, PoisonError};

use parley_media::{ogg_opus, opus};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::{AudioError, IntoPy};
use crate::pcm::{Octets, Pcm, to_bytes};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Encode speech: one packet for every 20 ms (480 samples) of 24 kHz PCM16.
#[pyclass(frozen, module = "parley._media")]
pub(crate) struct OpusEncoder(Mutex<opus::Encoder>);

#[pymethods]
impl OpusEncoder {
    #[new]
    #[pyo3(signature = (bit_rate = 32_000))]
    fn new(bit_rate: i32) -> PyResult<Self> {
        opus::Encoder::new(bit_rate, opus::Effort::Thorough)
            .map(|encoder| Self(Mutex::new(encoder)))
            .map_err(IntoPy::into_py)
    }

    /// Samples by which decoded sound lags behind.
    #[getter]
    fn lookahead_samples(&self) -> PyResult<usize> {
        lock(&self.0).lookahead_samples().map_err(IntoPy::into_py)
    }

    /// Switch forward error correction on for so many percent of lost packets; 0 switches it off.
    #[pyo3(signature = (percent, /))]
    fn expect_loss(&self, percent: u8) -> PyResult<()> {
        lock(&self.0).expect_loss(percent).map_err(IntoPy::into_py)
    }

    /// Encode one frame of 480 samples.
    #[pyo3(signature = (pcm, /))]
    fn encode<'py>(&self, py: Python<'py>, pcm: Pcm) -> PyResult<Bound<'py, PyBytes>> {
        let packet = py.detach(|| lock(&self.0).encode(&pcm.0)).map_err(IntoPy::into_py)?;
        Ok(PyBytes::new(py, &packet))
    }
}

/// Decode packets to mono PCM16 of 8, 12, 16, 24 or 48 kHz.
#[pyclass(frozen, module = "parley._media")]
pub(crate) struct OpusDecoder(Mutex<opus::Decoder>);

impl OpusDecoder {
    fn give<'py>(
        &self,
        py: Python<'py>,
        work: impl FnOnce(&mut opus::Decoder) -> Result<Vec<i16>, opus::OpusError> + Send,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let samples = py.detach(|| work(&mut lock(&self.0))).map_err(IntoPy::into_py)?;
        to_bytes(py, &samples)
    }
}

#[pymethods]
impl OpusDecoder {
    #[new]
    #[pyo3(signature = (rate_hz = 24_000))]
    fn new(rate_hz: u32) -> PyResult<Self> {
        opus::Decoder::new(rate_hz).map(|decoder| Self(Mutex::new(decoder))).map_err(IntoPy::into_py)
    }

    /// Output rate in Hz.
    #[getter]
    fn rate_hz(&self) -> u32 {
        lock(&self.0).rate_hz()
    }

    /// Decode a packet.
    #[pyo3(signature = (packet, /))]
    fn decode<'py>(&self, py: Python<'py>, packet: Octets) -> PyResult<Bound<'py, PyBytes>> {
        self.give(py, |decoder| decoder.decode(&packet.0))
    }

    /// Decode what the next packet carries of the lost one before it, which lasted so many samples.
    #[pyo3(signature = (next_packet, samples, /))]
    fn recover<'py>(&self, py: Python<'py>, next_packet: Octets, samples: usize) -> PyResult<Bound<'py, PyBytes>> {
        self.give(py, |decoder| decoder.recover(&next_packet.0, samples))
    }

    /// Make up so many samples for a packet that is lost for good.
    #[pyo3(signature = (samples, /))]
    fn conceal<'py>(&self, py: Python<'py>, samples: usize) -> PyResult<Bound<'py, PyBytes>> {
        self.give(py, |decoder| decoder.conceal(samples))
    }
}

/// Encode 24 kHz PCM16 into an Ogg/Opus stream, page by page. `serial` matters only where streams are interleaved.
#[pyclass(frozen, module = "parley._media")]
pub(crate) struct OggOpusStream(Mutex<Option<ogg_opus::OggOpusStream>>);

fn finished() -> PyErr {
    AudioError::new_err("this Ogg stream is finished; make a new writer")
}

#[pymethods]
impl OggOpusStream {
    #[new]
    #[pyo3(signature = (bit_rate = 32_000, *, serial = 1))]
    fn new(bit_rate: i32, serial: u32) -> PyResult<Self> {
        let writer = ogg_opus::OggOpusStream::new(bit_rate, serial).map_err(IntoPy::into_py)?;
        Ok(Self(Mutex::new(Some(writer))))
    }

    /// Append PCM of any length and return the pages that are ready; the first call also returns the headers.
    #[pyo3(signature = (pcm, /))]
    fn push<'py>(&self, py: Python<'py>, pcm: Pcm) -> PyResult<Bound<'py, PyBytes>> {
        let pages = py.detach(|| lock(&self.0).as_mut().map(|writer| writer.push(&pcm.0)));
        let pages = pages.ok_or_else(finished)?.map_err(IntoPy::into_py)?;
        Ok(PyBytes::new(py, &pages))
    }

    /// End the stream and return its last pages.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let pages = py.detach(|| lock(&self.0).take().map(ogg_opus::OggOpusStream::finish));
        let pages = pages.ok_or_else(finished)?.map_err(IntoPy::into_py)?;
        Ok(PyBytes::new(py, &pages))
    }
}
