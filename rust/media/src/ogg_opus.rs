//! Write Ogg/Opus (RFC 7845) as a stream: every push may give whole pages, nothing is ever rewritten.

use ogg::{PacketWriteEndInfo, PacketWriter};

use crate::opus::{Effort, Encoder, FRAME_SAMPLES, OpusError};

/// Granule positions count 48 kHz samples, two for each of ours.
const GRANULES_PER_SAMPLE: u64 = 2;
/// Packets to a page: 100 ms, 33 bytes of container to about 400 of sound.
const PACKETS_PER_PAGE: u64 = 5;

/// Encodes 24 kHz mono PCM into an Ogg/Opus stream.
pub struct OggOpusStream {
    encoder: Encoder,
    pages: PacketWriter<'static, Vec<u8>>,
    serial: u32,
    /// The newest frame: it is written when its successor is complete, because the last packet is marked.
    held: Option<Vec<u8>>,
    frame: Vec<i16>,
    taken_samples: u64,
    written_packets: u64,
    pre_skip: u64,
}

impl OggOpusStream {
    /// Begin a stream of `bit_rate` bits a second. `serial` tells logical streams apart: any number will do.
    pub fn new(bit_rate: i32, serial: u32) -> Result<Self, OpusError> {
        let mut encoder = Encoder::new(bit_rate, Effort::Thorough)?;
        let pre_skip = encoder.lookahead_samples()? as u64 * GRANULES_PER_SAMPLE;
        let mut made = Self {
            encoder,
            pages: PacketWriter::new(Vec::new()),
            serial,
            held: None,
            frame: Vec::with_capacity(FRAME_SAMPLES),
            taken_samples: 0,
            written_packets: 0,
            pre_skip,
        };
        let mut head = b"OpusHead\x01\x01".to_vec();
        head.extend_from_slice(&(pre_skip as u16).to_le_bytes());
        head.extend_from_slice(&crate::opus::ENCODER_HZ.to_le_bytes());
        head.extend_from_slice(&[0, 0, 0]);
        made.write(head, PacketWriteEndInfo::EndPage, 0);
        let mut tags = b"OpusTags\x06\0\0\0parley".to_vec();
        tags.extend_from_slice(&[0; 4]);
        made.write(tags, PacketWriteEndInfo::EndPage, 0);
        Ok(made)
    }

    /// Append PCM of any length and give the bytes that are ready; the first call also gives the headers.
    pub fn push(&mut self, pcm: &[i16]) -> Result<Vec<u8>, OpusError> {
        self.taken_samples += pcm.len() as u64;
        let mut rest = pcm;
        while self.frame.len() + rest.len() >= FRAME_SAMPLES {
            let (now, later) = rest.split_at(FRAME_SAMPLES - self.frame.len());
            self.frame.extend_from_slice(now);
            rest = later;
            self.encode_frame()?;
        }
        self.frame.extend_from_slice(rest);
        Ok(self.take())
    }

    /// End the stream and give its last bytes. Players stop at the last sample that was pushed.
    pub fn finish(mut self) -> Result<Vec<u8>, OpusError> {
        let end = self.pre_skip + self.taken_samples * GRANULES_PER_SAMPLE;
        let frame_granules = FRAME_SAMPLES as u64 * GRANULES_PER_SAMPLE;
        let encoded = |writer: &Self| (writer.written_packets + u64::from(writer.held.is_some())) * frame_granules;
        while encoded(&self) < end || self.held.is_none() {
            self.frame.resize(FRAME_SAMPLES, 0);
            self.encode_frame()?;
        }
        if let Some(last) = self.held.take() {
            self.write(last, PacketWriteEndInfo::EndStream, end);
        }
        Ok(self.take())
    }

    fn encode_frame(&mut self) -> Result<(), OpusError> {
        let packet = self.encoder.encode(&self.frame)?;
        self.frame.clear();
        if let Some(before) = self.held.replace(packet) {
            self.written_packets += 1;
            let granule = self.written_packets * FRAME_SAMPLES as u64 * GRANULES_PER_SAMPLE;
            let ends_page = self.written_packets.is_multiple_of(PACKETS_PER_PAGE);
            let info = if ends_page { PacketWriteEndInfo::EndPage } else { PacketWriteEndInfo::NormalPacket };
            self.write(before, info, granule);
        }
        Ok(())
    }

    fn write(&mut self, packet: Vec<u8>, info: PacketWriteEndInfo, granule: u64) {
        // The sink is a vector: it takes everything.
        let _ = self.pages.write_packet(packet, self.serial, info, granule);
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.pages.inner_mut())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::{DEFAULT_MAX_SECONDS, decode};

    fn sound(samples: usize) -> Vec<i16> {
        (0..samples).map(|n| ((n as f64 * 300.0 / 24_000.0 * std::f64::consts::TAU).sin() * 8_000.0) as i16).collect()
    }

    fn encode(pcm: &[i16], piece: usize) -> Vec<u8> {
        let mut writer = OggOpusStream::new(32_000, 7).unwrap();
        let mut bytes = Vec::new();
        for block in pcm.chunks(piece) {
            bytes.extend(writer.push(block).unwrap());
        }
        bytes.extend(writer.finish().unwrap());
        bytes
    }

    #[test]
    fn what_comes_back_is_as_long_and_in_place() {
        for samples in [0, 1, 479, 480, 481, 24_000, 31_417] {
            let pcm = sound(samples);
            let back = decode(&encode(&pcm, 1_000), DEFAULT_MAX_SECONDS).unwrap();
            assert_eq!(back.len(), samples);
            if samples < 1_000 {
                continue;
            }
            // The header cannot say fractions of what libopus delays at 24 kHz: allow it a quarter of a millisecond.
            let snr = |lag: usize| -> f64 {
                let pairs = || back.iter().zip(&pcm[lag..]).skip(480);
                let error: f64 = pairs().map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
                let signal: f64 = pairs().map(|(_, b)| f64::from(*b).powi(2)).sum();
                10.0 * (signal / error).log10()
            };
            let best = (0..=6).map(snr).fold(0.0, f64::max);
            assert!(best > 20.0, "{samples} samples: {best:.1} dB");
        }
    }

    #[test]
    fn the_size_of_pushes_does_not_matter() {
        let pcm = sound(12_345);
        assert_eq!(encode(&pcm, 1), encode(&pcm, 12_345));
    }

    #[test]
    fn pages_leave_while_speech_is_still_coming() {
        let mut writer = OggOpusStream::new(32_000, 1).unwrap();
        let first = writer.push(&[]).unwrap();
        assert!(first.starts_with(b"OggS") && first.ends_with(b"parley\0\0\0\0"));
        let later = writer.push(&sound(24_000)).unwrap();
        assert_eq!(later.windows(4).filter(|w| w == b"OggS").count(), 9, "one second but the frame held back");
    }
}
