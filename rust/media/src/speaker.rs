//! An AI's mouth: the frames of `playout`, encoded once for each codec that a subscriber needs.
//!
//! A tick is 20 ms on the publication's own clock, which goes on while nothing is said: time stamps count ticks, sequence
//! numbers count packets, and the first packet after a pause carries the marker (RFC 3551 §4.1). One frame of silence
//! follows the last frame of speech, because an encoder holds the last milliseconds back; later ones, far apart, keep
//! the track alive at an SFU that forgets tracks without packets. Who never spoke needs no encoder for those.

use std::sync::Arc;

use crate::g711::Law;
use crate::opus::{Effort, Encoder, OpusError};
use crate::playout::{FRAME_SAMPLES, Frame, Playout, PlayoutEvent, RATE_HZ};
use crate::resample::Resampler;
use crate::spec::AudioCodec;

const BIT_RATE: i32 = 40_000;
/// Below this loss a coarse copy of each frame in its successor costs more than it gives.
const LEAST_LOSS_PERCENT: u8 = 3;
const CODECS: usize = 3;
/// A frame of silence goes out when so many ticks passed without a packet: 2 s.
const SILENCE_EVERY_TICKS: u64 = 100;

/// One frame in one codec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedFrame {
    /// What it is coded with.
    pub codec: AudioCodec,
    /// Counts the packets of this publication.
    pub sequence: u64,
    /// In the codec's clock.
    pub timestamp: u32,
    /// The first of an utterance.
    pub marker: bool,
    /// Without header.
    pub payload: Arc<[u8]>,
}

enum FrameEncoder {
    Opus(Encoder),
    G711(Law, Box<Resampler>),
}

/// 20 ms of silence: in Opus of the full band (RFC 6716 §3.1, CELT, one frame without energy), in G.711 of zeros.
fn silence(codec: AudioCodec) -> Vec<u8> {
    match codec {
        AudioCodec::Opus => vec![0xf8, 0xff, 0xfe],
        AudioCodec::Pcmu => vec![0xff; 160],
        AudioCodec::Pcma => vec![0xd5; 160],
    }
}

fn place_of(codec: AudioCodec) -> usize {
    match codec {
        AudioCodec::Opus => 0,
        AudioCodec::Pcmu => 1,
        AudioCodec::Pcma => 2,
    }
}

impl FrameEncoder {
    fn new(codec: AudioCodec) -> Result<Self, OpusError> {
        let g711 = |law| {
            let down = Resampler::causal(RATE_HZ, 8_000).expect("constant rates are in range");
            Self::G711(law, Box::new(down))
        };
        Ok(match codec {
            AudioCodec::Opus => Self::Opus(Encoder::new(BIT_RATE, Effort::Live)?),
            AudioCodec::Pcmu => g711(Law::Mu),
            AudioCodec::Pcma => g711(Law::A),
        })
    }

    fn expect_loss(&mut self, percent: u8) {
        if let Self::Opus(encoder) = self {
            // An encoder that cannot carry copies speaks without.
            let _ = encoder.expect_loss(percent);
        }
    }

    fn encode(&mut self, frame: &Frame) -> Result<Vec<u8>, OpusError> {
        match self {
            Self::Opus(encoder) => encoder.encode(frame),
            Self::G711(law, down) => Ok(law.encode(&down.push_pcm16(frame))),
        }
    }
}

/// One mouth.
#[derive(Default)]
pub struct Speaker {
    playout: Playout,
    encoders: [Option<FrameEncoder>; CODECS],
    loss_percent: u8,
    tick: u64,
    sequence: u64,
    /// Whether the last tick sent something.
    talking: bool,
    tail_due: bool,
    /// Ticks since the last packet.
    quiet_ticks: u64,
}

/// What a tick gave: the sound for ears in this process, and packets for peers.
#[derive(Debug, Default)]
pub struct Spoken {
    /// None for silence.
    pub frame: Option<Frame>,
    /// One for each codec asked for.
    pub encoded: Vec<EncodedFrame>,
}

impl Speaker {
    /// The queue.
    pub fn playout(&mut self) -> &mut Playout {
        &mut self.playout
    }

    /// Carry, from the next frame on, what receivers that lose so many of a hundred packets can repair themselves with.
    pub fn expect_loss(&mut self, percent: u8) {
        let percent = if percent < LEAST_LOSS_PERCENT { 0 } else { percent };
        if std::mem::replace(&mut self.loss_percent, percent) != percent {
            self.encoders.iter_mut().flatten().for_each(|encoder| encoder.expect_loss(percent));
        }
    }

    /// How many ticks have passed.
    pub fn ticks(&self) -> u64 {
        self.tick
    }

    /// Let 20 ms pass without sending, as after a stall.
    pub fn skip_tick(&mut self) {
        self.tick += 1;
    }

    /// Let 20 ms pass; encode what leaves in each of `codecs`.
    pub fn tick(&mut self, codecs: &[AudioCodec], events: &mut Vec<PlayoutEvent>) -> Spoken {
        let timestamp = self.tick;
        self.tick += 1;
        let frame = self.playout.tick(events);
        let (sent, marker) = match &frame {
            Some(frame) => (*frame, !self.talking),
            None if self.tail_due => ([0; FRAME_SAMPLES], false),
            None => return self.rest(timestamp, codecs),
        };
        self.talking = frame.is_some();
        self.tail_due = frame.is_some();
        self.quiet_ticks = 0;
        let sequence = self.sequence;
        self.sequence += 1;
        let encoded = codecs.iter().filter_map(|codec| {
            let payload = self.encoder(*codec)?.encode(&sent).ok()?.into();
            let timestamp = (timestamp * u64::from(codec.clock_hz() / 50)) as u32;
            Some(EncodedFrame { codec: *codec, sequence, timestamp, marker, payload })
        });
        Spoken { encoded: encoded.collect(), frame }
    }

    /// Say nothing; every now and then in a packet.
    fn rest(&mut self, tick: u64, codecs: &[AudioCodec]) -> Spoken {
        self.talking = false;
        self.quiet_ticks += 1;
        if self.quiet_ticks < SILENCE_EVERY_TICKS {
            return Spoken::default();
        }
        self.quiet_ticks = 0;
        let sequence = self.sequence;
        self.sequence += 1;
        let encoded = codecs.iter().map(|codec| {
            // Who has spoken goes on in the same mode of the codec: a change of it is heard.
            let known = self.encoders[place_of(*codec)].as_mut();
            let payload = known.and_then(|encoder| encoder.encode(&[0; FRAME_SAMPLES]).ok());
            let payload = payload.unwrap_or_else(|| silence(*codec)).into();
            let timestamp = (tick * u64::from(codec.clock_hz() / 50)) as u32;
            EncodedFrame { codec: *codec, sequence, timestamp, marker: false, payload }
        });
        Spoken { encoded: encoded.collect(), frame: None }
    }

    fn encoder(&mut self, codec: AudioCodec) -> Option<&mut FrameEncoder> {
        let place = &mut self.encoders[place_of(codec)];
        if place.is_none() {
            *place = FrameEncoder::new(codec).ok();
            if let Some(encoder) = place {
                encoder.expect_loss(self.loss_percent);
            }
        }
        place.as_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::StreamDecoder;

    const ALL: [AudioCodec; 3] = [AudioCodec::Opus, AudioCodec::Pcmu, AudioCodec::Pcma];

    fn tone(samples: usize) -> Vec<i16> {
        (0..samples).map(|n| ((n as f64 * 0.1).sin() * 9_000.0) as i16).collect()
    }

    fn say(speaker: &mut Speaker, item: &str, pcm: Vec<i16>) {
        let mut events = Vec::new();
        speaker.playout().push(&item.into(), pcm, &mut events);
        speaker.playout().end(&item.into(), &mut events);
    }

    fn ticks(speaker: &mut Speaker, count: usize, codecs: &[AudioCodec]) -> Vec<Spoken> {
        (0..count).map(|_| speaker.tick(codecs, &mut Vec::new())).collect()
    }

    #[test]
    fn every_codec_carries_the_sound() {
        let mut speaker = Speaker::default();
        say(&mut speaker, "a", tone(24_000));
        let spoken = ticks(&mut speaker, 60, &ALL);
        for codec in ALL {
            let mut decoder = StreamDecoder::new(codec).unwrap();
            let packets: Vec<_> = spoken.iter().flat_map(|s| &s.encoded).filter(|f| f.codec == codec).collect();
            assert_eq!(packets.len(), 51, "a second and the tail");
            let heard: Vec<i16> = packets.iter().flat_map(|frame| decoder.decode(&frame.payload).unwrap()).collect();
            let crossings = heard.windows(2).filter(|w| w[0] < 2_000 && w[1] >= 2_000).count();
            assert!((379..=384).contains(&crossings), "{codec:?}: {crossings} periods");
        }
    }

    #[test]
    fn time_stamps_go_on_through_pauses_and_sequence_numbers_do_not() {
        let mut speaker = Speaker::default();
        say(&mut speaker, "a", tone(960));
        let mut spoken = ticks(&mut speaker, 10, &[AudioCodec::Opus]);
        speaker.skip_tick();
        say(&mut speaker, "b", tone(960));
        spoken.extend(ticks(&mut speaker, 10, &[AudioCodec::Opus]));
        let frames: Vec<_> = spoken.iter().flat_map(|s| &s.encoded).collect();
        let seen: Vec<_> = frames.iter().map(|f| (f.sequence, f.timestamp / 960, f.marker)).collect();
        assert_eq!(seen, [(0, 0, true), (1, 1, false), (2, 2, false), (3, 11, true), (4, 12, false), (5, 13, false)]);
    }

    #[test]
    fn a_pause_is_interrupted_by_silence_every_two_seconds_in_every_codec_and_without_an_encoder() {
        let mut speaker = Speaker::default();
        let spoken = ticks(&mut speaker, 250, &ALL);
        let at: Vec<usize> =
            spoken.iter().enumerate().filter(|(_, s)| !s.encoded.is_empty()).map(|(at, _)| at).collect();
        assert_eq!(at, [99, 199]);
        assert!(spoken.iter().all(|s| s.frame.is_none()) && speaker.encoders.iter().all(Option::is_none));
        for frame in &spoken[199].encoded {
            let mut decoder = StreamDecoder::new(frame.codec).unwrap();
            let pcm = decoder.decode(&frame.payload).unwrap();
            assert_eq!((pcm.len(), frame.sequence, frame.marker), (FRAME_SAMPLES, 1, false), "{:?}", frame.codec);
            assert!(pcm.iter().all(|sample| sample.unsigned_abs() <= 16), "{:?}", frame.codec);
            assert_eq!(frame.timestamp, 199 * frame.codec.clock_hz() / 50);
        }
    }

    #[test]
    fn nothing_is_encoded_that_nobody_needs_but_ears_hear_it() {
        let mut speaker = Speaker::default();
        say(&mut speaker, "a", tone(480));
        let spoken = ticks(&mut speaker, 3, &[]);
        assert!(spoken[0].frame.is_some() && spoken[1].frame.is_none());
        assert!(spoken.iter().all(|s| s.encoded.is_empty()));
        assert!(speaker.encoders.iter().all(Option::is_none));
    }
}
