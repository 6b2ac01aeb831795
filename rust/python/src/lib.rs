//! `parley._media`: a Python skin over `parley-media` and `parley-driver`. Types in, types out, the GIL released, no
//! logic.
//!
//! PCM crosses as bytes of little-endian 16-bit samples. Every function copies its input once, works without the GIL
//! and returns fresh bytes. `src/parley/_media.pyi` is this module's contract.

mod codec;
mod core;
mod errors;
mod events;
mod opus;
mod pcm;
mod spec;
mod stream;

use pyo3::prelude::*;

#[pymodule]
fn _media(module: &Bound<'_, PyModule>) -> PyResult<()> {
    errors::register(module)?;
    module.add_class::<stream::Resampler>()?;
    module.add_class::<stream::Denoiser>()?;
    module.add_class::<stream::VoiceActivity>()?;
    module.add_class::<opus::OpusEncoder>()?;
    module.add_class::<opus::OpusDecoder>()?;
    module.add_class::<opus::OggOpusStream>()?;
    module.add_class::<core::MediaCore>()?;
    module.add_class::<core::VirtualNetwork>()?;
    module.add_function(wrap_pyfunction!(codec::decode_file, module)?)?;
    module.add_function(wrap_pyfunction!(codec::ulaw_encode, module)?)?;
    module.add_function(wrap_pyfunction!(codec::ulaw_decode, module)?)?;
    module.add_function(wrap_pyfunction!(codec::alaw_encode, module)?)?;
    module.add_function(wrap_pyfunction!(codec::alaw_decode, module)?)?;
    Ok(())
}
