//! What a client heard: its packets decoded one after another, and looked at for a tone.

use parley_media::opus::Decoder;

use crate::client::Client;

const RATE_HZ: u32 = 16_000;
const FRAME_MS: usize = 20;
/// Mean square of what counts as silence; the tone's is 3.2e7.
const SILENCE: f64 = 1e4;
/// Of a frame's energy, what a pure tone has at its own frequency at least.
const PURE: f64 = 0.8;

/// Of one client's packets.
#[derive(Debug, Default)]
pub struct Heard {
    pub packets: u64,
    /// Numbers between the first and the last that did not come, or came twice.
    pub amiss: u64,
    pub decoded_ms: u64,
    pub silent_ms: u64,
    /// Loud, and the tone.
    pub tone_ms: u64,
}

impl Heard {
    /// Decode all packets of `client`, in order.
    pub fn by(client: &Client, hz: f64) -> Self {
        let mut decoder = Decoder::new(RATE_HZ).expect("a decoder");
        let mut packets: Vec<_> = client.packets.iter().map(|(_, packet)| packet).collect();
        packets.sort_by_key(|packet| packet.sequence);
        let mut heard = Self { packets: packets.len() as u64, ..Self::default() };
        heard.amiss = packets.windows(2).map(|pair| (pair[1].sequence - pair[0].sequence).abs_diff(1)).sum();
        for packet in packets {
            let Ok(samples) = decoder.decode(&packet.payload) else { continue };
            for frame in samples.chunks_exact(RATE_HZ as usize * FRAME_MS / 1_000) {
                let energy = frame.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / frame.len() as f64;
                heard.decoded_ms += FRAME_MS as u64;
                if energy < SILENCE {
                    heard.silent_ms += FRAME_MS as u64;
                } else if at(frame, hz) > PURE * energy {
                    heard.tone_ms += FRAME_MS as u64;
                }
            }
        }
        heard
    }
}

/// The mean square of a frame's part at one frequency (Goertzel's algorithm).
fn at(frame: &[i16], hz: f64) -> f64 {
    let turn = 2.0 * (std::f64::consts::TAU * hz / f64::from(RATE_HZ)).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in frame {
        let next = f64::from(*sample) + turn * last - before;
        (before, last) = (last, next);
    }
    let power = last * last + before * before - turn * last * before;
    2.0 * power / (frame.len() as f64).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_told_from_another() {
        let wave = |hz: f64| -> Vec<i16> {
            let step = std::f64::consts::TAU * hz / f64::from(RATE_HZ);
            (0..320).map(|n| ((f64::from(n) * step).sin() * 8_000.0) as i16).collect()
        };
        assert!((at(&wave(500.0), 500.0) / 3.2e7 - 1.0).abs() < 0.01);
        assert!(at(&wave(700.0), 500.0) < 0.01 * 3.2e7);
    }
}
