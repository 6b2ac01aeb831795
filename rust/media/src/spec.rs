//! What the core is told of a peer: plain data, made by whoever parsed the SDP. W3C and RFC names are used as they are.
//!
//! No SDP text comes in here and no type of the WebRTC library leaves this crate. Ids, ufrags, SSRCs and shards are
//! chosen by the caller. Neighbours: `command` carries specs, `peer` lives by them.

use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;

/// The extension by which a receiver reports on every packet.
const TRANSPORT_SEQUENCE: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Arc<str>);

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id!(
    /// One `PeerConnection`.
    PeerId
);
text_id!(
    /// One track that can be subscribed: a peer's sending slot, or a speaker.
    PublicationId
);
text_id!(
    /// One AI ear.
    ListenerId
);
text_id!(
    /// One AI mouth.
    SpeakerId
);
text_id!(
    /// One piece of speech, as the conversation calls it.
    ItemId
);

/// RFC 8839 §5.4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// Names the peer slot in every check.
    pub ufrag: String,
    /// Proves the check.
    pub password: String,
}

/// RFC 8122 §5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// A hash name as SDP writes it: `sha-256`.
    pub algorithm: String,
    /// The digest.
    pub digest: Vec<u8>,
}

/// How a datagram travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// UDP.
    Udp,
    /// TCP with the framing of RFC 4571; ours is the passive end.
    Tcp,
}

/// A transport address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// Where.
    pub addr: SocketAddr,
    /// How.
    pub protocol: Protocol,
}

/// Audio or video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

/// The codecs that an AI hears and speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AudioCodec {
    /// RFC 7587, always 48 kHz on the wire.
    Opus,
    /// G.711 µ-law, 8 kHz.
    Pcmu,
    /// G.711 A-law, 8 kHz.
    Pcma,
}

impl AudioCodec {
    /// Time stamp units a second.
    pub fn clock_hz(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::Pcmu | Self::Pcma => 8_000,
        }
    }
}

/// The codecs of pictures that can be told apart from within.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// RFC 7741.
    Vp8,
    /// RFC 9628.
    Vp9,
    /// RFC 6184.
    H264,
    /// RFC 7798.
    H265,
    /// The Alliance for Open Media's payload format.
    Av1,
}

/// One payload type of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codec {
    /// 0..=127.
    pub payload_type: u8,
    /// As in `rtpmap`, any case: `opus`, `PCMU`, `VP8`.
    pub name: String,
    /// Time stamp units a second.
    pub clock_rate_hz: u32,
    /// As in `rtpmap`.
    pub channels: u8,
    /// The `fmtp` line as written.
    pub parameters: String,
    /// Payload type of its retransmissions.
    pub rtx_payload_type: Option<u8>,
}

impl Codec {
    /// A codec without parameters and retransmissions.
    pub fn plain(payload_type: u8, name: &str, clock_rate_hz: u32, channels: u8) -> Self {
        let (name, parameters) = (name.to_owned(), String::new());
        Self { payload_type, name, clock_rate_hz, channels, parameters, rtx_payload_type: None }
    }

    /// The codec as an AI knows it, if it does.
    pub fn audio(&self) -> Option<AudioCodec> {
        // Asked for every packet: nothing is allocated.
        let known = [("opus", AudioCodec::Opus), ("pcmu", AudioCodec::Pcmu), ("pcma", AudioCodec::Pcma)];
        known.into_iter().find(|(name, _)| self.name.eq_ignore_ascii_case(name)).map(|(_, codec)| codec)
    }

    /// The codec of pictures, if it is a known one.
    pub fn video(&self) -> Option<VideoCodec> {
        let known = [
            ("vp8", VideoCodec::Vp8),
            ("vp9", VideoCodec::Vp9),
            ("h264", VideoCodec::H264),
            ("h265", VideoCodec::H265),
            ("av1", VideoCodec::Av1),
        ];
        known.into_iter().find(|(name, _)| self.name.eq_ignore_ascii_case(name)).map(|(_, codec)| codec)
    }

    /// Whether a packet of this codec can be sent as one of `other`.
    pub fn carries(&self, other: &Self) -> bool {
        self.name.eq_ignore_ascii_case(&other.name) && self.clock_rate_hz == other.clock_rate_hz
    }

    /// A value of the `fmtp` line, in lower case.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let pairs = self.parameters.split(';').filter_map(|pair| pair.split_once('='));
        let found = pairs.into_iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().to_ascii_lowercase())
    }

    /// Of several payload types for one codec, the one whose profile is that of `other`, else the first.
    pub fn best_for<'a>(codecs: &'a [Self], other: &Self) -> Option<&'a Self> {
        let alike = |codec: &&Self| {
            codec.profile() == other.profile()
                && codec.parameter("packetization-mode") == other.parameter("packetization-mode")
        };
        let mut carrying = codecs.iter().filter(|codec| codec.carries(other));
        let first = carrying.next()?;
        Some(if alike(&first) { first } else { carrying.find(alike).unwrap_or(first) })
    }

    /// What a decoder must be able to do: profile and constraints, without the level.
    fn profile(&self) -> String {
        match self.video() {
            Some(VideoCodec::H264) => {
                let profile = self.parameter("profile-level-id").unwrap_or_else(|| "420010".into());
                profile.chars().take(4).collect()
            }
            Some(VideoCodec::Vp9 | VideoCodec::H265) => self.parameter("profile-id").unwrap_or_default(),
            Some(VideoCodec::Av1) => self.parameter("profile").unwrap_or_default(),
            Some(VideoCodec::Vp8) | None => String::new(),
        }
    }
}

/// RFC 8285: a local identifier 1..=14 and the URI that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderExtension {
    /// 1..=14.
    pub id: u8,
    /// What it is.
    pub uri: String,
}

/// One RTP stream: by SSRC (with its retransmissions) or, for simulcast, by restriction id until packets come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamIds {
    /// Unknown until packets come where the peer did not say.
    pub ssrc: Option<u32>,
    /// Where retransmissions travel.
    pub rtx_ssrc: Option<u32>,
    /// Simulcast layer.
    pub rid: Option<String>,
}

/// One m-line. Directions are ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// RFC 8843.
    pub mid: String,
    /// Audio or video.
    pub kind: TrackKind,
    /// In order of preference.
    pub codecs: Vec<Codec>,
    /// Name of what the peer sends here; none if it sends nothing.
    pub publication: Option<PublicationId>,
    /// What the peer sends.
    pub receive: Vec<StreamIds>,
    /// What we send; none if the peer does not receive.
    pub send: Option<StreamIds>,
}

impl Slot {
    /// SSRC of what we send.
    pub fn send_ssrc(&self) -> Option<u32> {
        self.send.as_ref().and_then(|stream| stream.ssrc)
    }

    /// What an AI speaks here: the first codec that it knows.
    pub fn spoken(&self) -> Option<(AudioCodec, u8)> {
        self.codecs.iter().find_map(|codec| Some((codec.audio()?, codec.payload_type)))
    }
}

/// RFC 8841: the association that carries data channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SctpSpec {
    /// Its m-line.
    pub mid: String,
    /// The peer's SCTP port.
    pub port: u16,
    /// The largest message that the peer takes.
    pub max_message_bytes: u32,
}

/// A slot of a peer without a connection: what it is fed with is heard in process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternalSlot {
    /// As in the session that it stands for.
    pub mid: String,
    /// What is sent to it, for listeners.
    pub heard_as: PublicationId,
}

/// A whole peer. Given again under the same id it replaces the old one: the core finds the difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerSpec {
    /// Whose.
    pub peer: PeerId,
    /// Ours.
    pub local_ice: IceCredentials,
    /// The peer's.
    pub remote_ice: IceCredentials,
    /// Of the peer's certificate.
    pub remote_fingerprint: Fingerprint,
    /// Whether we send the `ClientHello`.
    pub dtls_active: bool,
    /// The m-lines that carry media.
    pub slots: Vec<Slot>,
    /// Valid for all slots.
    pub extensions: Vec<HeaderExtension>,
    /// Whether there are data channels.
    pub sctp: Option<SctpSpec>,
    /// Whether we only answer checks.
    pub ice_lite: bool,
    /// Needed only where we check.
    pub remote_candidates: Vec<Candidate>,
    /// Find out what the peer's network carries; fixed when the peer is added. Where there is a slot for pictures it is
    /// found out anyway.
    pub estimate_bandwidth: bool,
}

/// Why a spec cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpecError {
    /// A ufrag, or an SSRC within one peer, that is in use.
    #[error("{0} is in use; choose another")]
    InUse(&'static str),
    /// Characters that RFC 8839 does not allow, which could end an attribute early.
    #[error("ICE credentials are letters, digits, + and /; these are not")]
    IceCharacters,
    /// A peer whose certificate cannot be checked.
    #[error("a fingerprint is sha-256 with 32 bytes or sha-1 with 20; this one is neither")]
    Fingerprint,
}

impl PeerSpec {
    /// Find what no core could serve. The caller checks ranges and duplicates of its own before.
    pub fn check(&self) -> Result<(), SpecError> {
        for ice in [&self.local_ice, &self.remote_ice] {
            let fits = |text: &str| {
                text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_' | b'='))
            };
            if !(fits(&ice.ufrag) && fits(&ice.password)) {
                return Err(SpecError::IceCharacters);
            }
        }
        let expected = match self.remote_fingerprint.algorithm.to_ascii_lowercase().as_str() {
            "sha-256" => 32,
            "sha-1" => 20,
            _ => return Err(SpecError::Fingerprint),
        };
        if self.remote_fingerprint.digest.len() != expected {
            return Err(SpecError::Fingerprint);
        }
        let mut ssrcs: Vec<u32> = self.ssrcs().collect();
        ssrcs.sort_unstable();
        if ssrcs.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(SpecError::InUse("an SSRC"));
        }
        Ok(())
    }

    /// Whether to find out what the peer's network carries. It takes the peer's reports on every packet.
    pub(crate) fn estimates(&self) -> bool {
        let wanted = self.estimate_bandwidth || self.slots.iter().any(|slot| slot.kind == TrackKind::Video);
        wanted && self.extensions.iter().any(|extension| extension.uri == TRANSPORT_SEQUENCE)
    }

    fn ssrcs(&self) -> impl Iterator<Item = u32> + '_ {
        self.slots
            .iter()
            .flat_map(|slot| slot.receive.iter().chain(slot.send.iter()))
            .flat_map(|stream| [stream.ssrc, stream.rtx_ssrc])
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codec(payload_type: u8, name: &str, parameters: &str) -> Codec {
        Codec {
            payload_type,
            name: name.into(),
            clock_rate_hz: 90_000,
            channels: 1,
            parameters: parameters.into(),
            rtx_payload_type: None,
        }
    }

    #[test]
    fn a_payload_type_is_chosen_by_profile() {
        let codecs = [
            codec(96, "VP8", ""),
            codec(98, "VP9", "profile-id=0"),
            codec(100, "VP9", "profile-id=2"),
            codec(102, "H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f"),
            codec(104, "H264", "packetization-mode=0;profile-level-id=42e01f"),
            codec(106, "H264", "packetization-mode=1; profile-level-id=42E034"),
        ];
        for (name, parameters, expected) in [
            ("vp8", "x=1", Some(96)),
            ("VP9", "profile-id=2", Some(100)),
            ("VP9", "profile-id=1", Some(98)),
            ("H264", "profile-level-id=42e01f;packetization-mode=1", Some(106)),
            ("H264", "profile-level-id=42e01f;packetization-mode=0", Some(104)),
            ("H264", "profile-level-id=640c1f;packetization-mode=1", Some(102)),
            ("AV1", "", None),
        ] {
            let chosen = Codec::best_for(&codecs, &codec(1, name, parameters)).map(|codec| codec.payload_type);
            assert_eq!(chosen, expected, "{name} {parameters}");
        }
    }
}
