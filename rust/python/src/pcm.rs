//! Buffers in and out: any bytes-like object in, `bytes` out.

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::AudioError;

/// The bytes of any contiguous bytes-like object.
pub(crate) struct Octets(pub(crate) Vec<u8>);

impl<'py> FromPyObject<'_, 'py> for Octets {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self(bytes.as_bytes().to_vec()));
        }
        let buffer = PyBuffer::<u8>::get(&object)
            .map_err(|_| PyTypeError::new_err("expected bytes, bytearray or a memoryview of bytes"))?;
        buffer.to_vec(object.py()).map(Self)
    }
}

/// Little-endian 16-bit mono samples.
pub(crate) struct Pcm(pub(crate) Vec<i16>);

impl<'py> FromPyObject<'_, 'py> for Pcm {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let Octets(bytes) = object.extract()?;
        let (samples, rest) = bytes.as_chunks::<2>();
        if rest.is_empty() {
            return Ok(Self(samples.iter().map(|pair| i16::from_le_bytes(*pair)).collect()));
        }
        Err(AudioError::new_err(format!(
            "{} bytes are no whole number of 16-bit samples; carry the odd byte over (PcmCarry does)",
            bytes.len()
        )))
    }
}

/// Samples to `bytes`.
pub(crate) fn to_bytes<'py>(py: Python<'py>, samples: &[i16]) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, 2 * samples.len(), |bytes| {
        for (to, from) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(samples) {
            *to = from.to_le_bytes();
        }
        Ok(())
    })
}
