//! FLAC, by claxon.

use std::io::Cursor;

use claxon::{Error, FlacReader, FlacReaderOptions};

use super::sink::{FULL_SCALE, Sink};
use super::{DecodeError, Outcome};

fn broken(error: Error) -> DecodeError {
    match error {
        Error::Unsupported(feature) => DecodeError::unsupported(format!("FLAC with {feature}")),
        Error::FormatError(reason) => DecodeError::corrupt("flac", reason),
        Error::IoError(_) => DecodeError::corrupt("flac", "it is cut short"),
    }
}

pub(super) fn read(bytes: &[u8], sink: &mut Sink) -> Outcome {
    let sound = &bytes[nanomp3::id3v2_len(bytes).min(bytes.len())..];
    let options = FlacReaderOptions { metadata_only: false, read_vorbis_comment: false };
    let mut reader = FlacReader::new_ext(Cursor::new(sound), options).map_err(broken)?;
    let about = reader.streaminfo();
    sink.start(about.sample_rate)?;
    let scale = FULL_SCALE / (1_u64 << (about.bits_per_sample.clamp(1, 32) - 1)) as f32;
    let mut blocks = reader.blocks();
    let mut buffer = Vec::new();
    while let Some(block) = blocks.read_next_or_eof(buffer).map_err(broken)? {
        let channels = block.channels();
        let frames = (0..block.duration()).flat_map(|at| (0..channels).map(move |channel| (channel, at)));
        sink.push(frames.map(|(channel, at)| block.sample(channel, at) as f32 * scale), channels as usize)?;
        buffer = block.into_buffer();
    }
    Ok(())
}
