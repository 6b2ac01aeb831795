//! Decode an uploaded sound file to 24 kHz mono PCM16, by what its first bytes say it is.
//!
//! Understood: WAV (`wav`), FLAC (`flac`), MP3 (`mp3`), Ogg/Opus (`ogg_file`) and WebM/Opus (`webm`). A file is hostile until
//! proven otherwise: nothing is allocated by a length that it states, output is bounded, and a decoder that panics is a
//! damaged file, not the end of the process.

mod flac;
mod mp3;
mod ogg_file;
mod opus_track;
mod sink;
mod wav;
mod webm;

use thiserror::Error;

use sink::Sink;

/// Rate of what [`decode`] gives, in Hz.
pub const RATE_HZ: u32 = 24_000;
/// A sensible bound for [`decode`]: two hours.
pub const DEFAULT_MAX_SECONDS: u32 = 7_200;

/// Why a file cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Nothing that [`decode`] understands.
    #[error("{0} is not supported; send wav, flac, mp3, ogg (opus) or webm (opus)")]
    Unsupported(String),
    /// The right kind of file, but broken.
    #[error("the {format} file is damaged ({reason}); export or record it again")]
    Corrupt {
        /// What it would have been.
        format: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// More sound than the caller allows.
    #[error("the audio is longer than {0} seconds; split it")]
    TooLong(u32),
}

impl DecodeError {
    fn corrupt(format: &'static str, reason: impl ToString) -> Self {
        Self::Corrupt { format, reason: reason.to_string() }
    }

    fn unsupported(found: impl Into<String>) -> Self {
        Self::Unsupported(found.into())
    }
}

type Outcome = Result<(), DecodeError>;
type Read = fn(&[u8], &mut Sink) -> Outcome;

/// Decode a whole file of at most `max_seconds` of sound.
pub fn decode(bytes: &[u8], max_seconds: u32) -> Result<Vec<i16>, DecodeError> {
    let (format, read) = recognise(bytes)?;
    let run = || {
        let mut sink = Sink::new(format, max_seconds);
        read(bytes, &mut sink)?;
        Ok(sink.finish())
    };
    std::panic::catch_unwind(run).unwrap_or_else(|_| Err(DecodeError::corrupt(format, "it makes no sense")))
}

fn recognise(bytes: &[u8]) -> Result<(&'static str, Read), DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::unsupported("an empty file"));
    }
    let sound = &bytes[nanomp3::id3v2_len(bytes).min(bytes.len())..];
    if is_riff(bytes, *b"WAVE") {
        return Ok(("wav", wav::read));
    }
    if sound.starts_with(b"fLaC") {
        return Ok(("flac", flac::read));
    }
    if bytes.starts_with(b"OggS") {
        return Ok(("ogg", ogg_file::read));
    }
    if bytes.starts_with(&[0x1A, 0x45, 0xDF, 0xA3]) {
        return Ok(("webm", webm::read));
    }
    if let Some(name) = known_stranger(bytes) {
        return Err(DecodeError::unsupported(name));
    }
    if nanomp3::detect(bytes) {
        return Ok(("mp3", mp3::read));
    }
    Err(DecodeError::unsupported("this kind of file"))
}

fn is_riff(bytes: &[u8], kind: [u8; 4]) -> bool {
    bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(&kind)
}

/// Name what people often send instead.
fn known_stranger(bytes: &[u8]) -> Option<&'static str> {
    if bytes.get(4..8) == Some(b"ftyp") {
        return Some("MP4 or M4A (AAC)");
    }
    if is_riff(bytes, *b"AVI ") {
        return Some("AVI");
    }
    let beginnings: [(&[u8], &str); 8] = [
        (b"RF64", "WAV beyond 4 GiB (RF64)"),
        (b"RIFX", "big-endian WAV (RIFX)"),
        (b"FORM", "AIFF"),
        (b"#!AMR", "AMR"),
        (b".snd", "Sun AU"),
        (b"caff", "CAF"),
        (b"\xFF\xF1", "AAC"),
        (b"\xFF\xF9", "AAC"),
    ];
    beginnings.into_iter().find_map(|(beginning, name)| bytes.starts_with(beginning).then_some(name))
}

#[cfg(test)]
mod tests;
