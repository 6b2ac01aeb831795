//! The Python exceptions, and the one place where errors of the media crate become them.

use parley_media::resample::ResampleError;
use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

create_exception!(parley._media, AudioError, PyValueError, "Audio that cannot be worked with; the text names the fix.");

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("AudioError", module.py().get_type::<AudioError>())
}

/// Turn an error of the media crate into its exception.
pub(crate) trait IntoPy {
    fn into_py(self) -> PyErr;
}

impl IntoPy for ResampleError {
    fn into_py(self) -> PyErr {
        AudioError::new_err(self.to_string())
    }
}
