//! The Python exceptions, and the one place where errors of the other crates become them.

use parley_driver::core::{OpenError, SubmitError};
use parley_media::file::DecodeError;
use parley_media::opus::OpusError;
use parley_media::resample::ResampleError;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;

create_exception!(parley._media, AudioError, PyValueError, "Audio that cannot be worked with; the text names the fix.");
create_exception!(parley._media, UnsupportedAudio, AudioError, "A kind of audio that Parley does not read.");
create_exception!(parley._media, CorruptAudio, AudioError, "Audio of a kind that Parley reads, but damaged.");
create_exception!(parley._media, AudioTooLong, AudioError, "More audio than was allowed.");
create_exception!(parley._media, MediaCoreError, PyException, "Something the media core cannot do.");
create_exception!(parley._media, MediaCoreBusy, MediaCoreError, "Too many commands wait; nothing was done.");
create_exception!(parley._media, MediaCoreRefused, MediaCoreError, "A command that contradicts itself or others.");
create_exception!(parley._media, MediaCoreClosed, MediaCoreError, "The core is closed, or another process's.");

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("AudioError", py.get_type::<AudioError>())?;
    module.add("UnsupportedAudio", py.get_type::<UnsupportedAudio>())?;
    module.add("CorruptAudio", py.get_type::<CorruptAudio>())?;
    module.add("AudioTooLong", py.get_type::<AudioTooLong>())?;
    module.add("MediaCoreError", py.get_type::<MediaCoreError>())?;
    module.add("MediaCoreBusy", py.get_type::<MediaCoreBusy>())?;
    module.add("MediaCoreRefused", py.get_type::<MediaCoreRefused>())?;
    module.add("MediaCoreClosed", py.get_type::<MediaCoreClosed>())
}

/// Turn an error into its exception.
pub(crate) trait IntoPy {
    fn into_py(self) -> PyErr;
}

impl IntoPy for ResampleError {
    fn into_py(self) -> PyErr {
        AudioError::new_err(self.to_string())
    }
}

impl IntoPy for OpusError {
    fn into_py(self) -> PyErr {
        match self {
            Self::Packet => CorruptAudio::new_err(self.to_string()),
            _ => AudioError::new_err(self.to_string()),
        }
    }
}

impl IntoPy for DecodeError {
    fn into_py(self) -> PyErr {
        let text = self.to_string();
        match self {
            Self::Unsupported(_) => UnsupportedAudio::new_err(text),
            Self::Corrupt { .. } => CorruptAudio::new_err(text),
            Self::TooLong(_) => AudioTooLong::new_err(text),
        }
    }
}

impl IntoPy for OpenError {
    fn into_py(self) -> PyErr {
        MediaCoreError::new_err(self.to_string())
    }
}

impl IntoPy for SubmitError {
    fn into_py(self) -> PyErr {
        let text = self.to_string();
        match self {
            Self::Busy => MediaCoreBusy::new_err(text),
            Self::Closed | Self::Forked => MediaCoreClosed::new_err(text),
            Self::Dispatch(_) | Self::Spec(_) => MediaCoreRefused::new_err(text),
        }
    }
}
