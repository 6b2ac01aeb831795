//! The seam behind which packets are protected and sent.
//!
//! Today the WebRTC library does it, for every stream. An SRTP path of our own can stand behind the same trait, stream
//! by stream; one SSRC is never sent by both, because GCM nonces would repeat.

use std::sync::Arc;
use std::time::Instant;

use str0m::Rtc;
use str0m::rtp::{ExtensionValues, RtpWrite, VideoOrientation, Vp8Patch};

/// Header extensions that survive forwarding.
#[derive(Debug, Clone, Copy, Default)]
pub struct ForwardedExtensions {
    /// RFC 6464, in negative dBov.
    pub audio_level: Option<i8>,
    /// RFC 6464.
    pub voice_activity: Option<bool>,
    pub(crate) orientation: Option<VideoOrientation>,
}

/// A packet, ready but for its protection.
#[derive(Debug, Clone)]
pub struct OutgoingPacket {
    /// Of the subscriber's slot.
    pub ssrc: u32,
    /// Of the subscriber's slot.
    pub payload_type: u8,
    /// Extended beyond 16 bits; the first of a stream is below 65 536.
    pub sequence: u64,
    /// In the codec's clock.
    pub timestamp: u32,
    /// As RTP's.
    pub marker: bool,
    /// May be asked for again.
    pub repairable: bool,
    /// Of the original.
    pub extensions: ForwardedExtensions,
    /// New picture numbers.
    pub(crate) patch: Option<Vp8Patch>,
    /// Without header.
    pub payload: Arc<[u8]>,
}

impl OutgoingPacket {
    /// A packet that nobody has given an SSRC and a payload type yet.
    pub fn unrouted(sequence: u64, timestamp: u32, marker: bool, payload: Arc<[u8]>) -> Self {
        let extensions = ForwardedExtensions::default();
        Self {
            ssrc: 0,
            payload_type: 0,
            sequence,
            timestamp,
            marker,
            repairable: false,
            extensions,
            patch: None,
            payload,
        }
    }
}

/// Protects and sends.
pub trait Sender {
    /// Send a packet; false if the peer has no such stream.
    fn send(&mut self, now: Instant, packet: OutgoingPacket) -> bool;
}

/// The WebRTC library's own path. What is sent here leaves with the peer's next poll.
pub(crate) struct LibrarySender<'a>(pub &'a mut Rtc);

impl Sender for LibrarySender<'_> {
    fn send(&mut self, now: Instant, packet: OutgoingPacket) -> bool {
        let mut api = self.0.direct_api();
        let Some(stream) = api.stream_tx(&packet.ssrc.into()) else { return false };
        let extensions = ExtensionValues {
            audio_level: packet.extensions.audio_level,
            voice_activity: packet.extensions.voice_activity,
            video_orientation: packet.extensions.orientation,
            ..ExtensionValues::default()
        };
        let (payload_type, sequence) = (packet.payload_type.into(), packet.sequence.into());
        let mut write = RtpWrite::new(payload_type, sequence, packet.timestamp, now, packet.payload)
            .marker(packet.marker)
            .nackable(packet.repairable)
            .ext_vals(extensions);
        if let Some(patch) = packet.patch {
            write = write.vp8_patch(patch);
        }
        stream.write_rtp(write);
        true
    }
}
