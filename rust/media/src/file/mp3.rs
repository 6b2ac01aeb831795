//! MP3 (and MPEG layers I and II), by nanomp3; encoder delay and padding are trimmed where the file states them.

use nanomp3::{Channels, Options, SliceReader};

use super::sink::{FULL_SCALE, Sink};
use super::{DecodeError, Outcome};

pub(super) fn read(bytes: &[u8], sink: &mut Sink) -> Outcome {
    let mut reader = SliceReader::<f32>::with_options(bytes, Options::default());
    let Some(channels) = reader.channels() else {
        return Err(DecodeError::corrupt("mp3", "there is no sound in it"));
    };
    let channels = match channels {
        Channels::Mono => 1,
        Channels::Stereo => 2,
    };
    sink.start(reader.sample_rate())?;
    while let Some(samples) = reader.read_frame().map_err(|error| DecodeError::corrupt("mp3", error))? {
        sink.push(samples.iter().map(|sample| sample * FULL_SCALE), channels)?;
    }
    Ok(())
}
