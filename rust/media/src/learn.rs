//! What a peer brings after its first spec: payload types, header extensions, an association for data channels.
//!
//! The WebRTC library takes these when it is built and later only from an offer. So what may come later is reserved when
//! it is built, under numbers that no peer uses, and a later spec is taught by an offer that is made here from checked
//! fields: one line that carries the new numbers and is removed at once. It knows codecs by name, but passes any payload;
//! so each reserved place is told from the others by a profile, or a number of channels, that no real codec has.
//!
//! Neighbours: `build` makes what a first spec says, `peer` applies a later one.

use std::collections::HashSet;
use std::fmt::Write;

use str0m::change::SdpOffer;
use str0m::format::{Codec as LibraryCodec, CodecConfig, FormatParams};
use str0m::media::Frequency;
use str0m::rtp::Extension;
use str0m::{Rtc, RtcError};

use crate::build::{known_extension, library_codec};
use crate::spec::{Codec, PeerSpec, SctpSpec, TrackKind};

/// RTP that shares a port with RTCP never uses these (RFC 5761 §4).
const VIDEO_PLACES: std::ops::Range<u8> = 64..95;
/// Assigned to codecs of old that nobody offers.
const AUDIO_PLACES: std::ops::Range<u8> = 20..28;
const FIRST_PROFILE: u32 = 1_000;
const FIRST_CHANNELS: u8 = 100;
const CARRIER: &str = "parleycarrier";
const MAX_EXTENSION_ID: u8 = 14;

/// The extensions that a fresh library is told of: those of the spec, and under ids that it leaves free those that may be
/// told later and are harmless until then.
pub(crate) fn extensions(spec: &PeerSpec) -> Vec<(u8, Extension)> {
    let given = spec.extensions.iter();
    let mut known: Vec<(u8, Extension)> =
        given.filter_map(|given| Some((given.id, known_extension(&given.uri)?))).collect();
    let mut free = (1..=MAX_EXTENSION_ID).rev().filter(|id| spec.extensions.iter().all(|given| given.id != *id));
    let later = [
        Extension::RtpStreamId,
        Extension::RepairedRtpStreamId,
        Extension::VideoOrientation,
        Extension::AudioLevel,
        Extension::PlayoutDelay,
    ];
    for extension in later {
        if known.iter().all(|(_, other)| *other != extension)
            && let Some(id) = free.next()
        {
            known.push((id, extension));
        }
    }
    known
}

/// Reserve places for payload types that may be told later.
pub(crate) fn reserve(spec: &PeerSpec, config: &mut CodecConfig) {
    let given: HashSet<u8> = payload_types(spec.slots.iter().flat_map(|slot| &slot.codecs)).collect();
    let fixed = [(0, LibraryCodec::PCMU), (8, LibraryCodec::PCMA)];
    for (payload_type, codec) in fixed.into_iter().filter(|(payload_type, _)| !given.contains(payload_type)) {
        config.add_config(payload_type.into(), None, codec, Frequency::EIGHT_KHZ, None, FormatParams::default());
    }
    for (n, payload_type) in VIDEO_PLACES.enumerate().filter(|(_, payload_type)| !given.contains(payload_type)) {
        let format = FormatParams { profile_id: Some(FIRST_PROFILE + n as u32), ..FormatParams::default() };
        config.add_config(payload_type.into(), None, LibraryCodec::Vp9, Frequency::NINETY_KHZ, None, format);
    }
    for (n, payload_type) in AUDIO_PLACES.enumerate().filter(|(_, payload_type)| !given.contains(payload_type)) {
        let channels = Some(FIRST_CHANNELS + n as u8);
        let (clock, format) = (Frequency::FORTY_EIGHT_KHZ, FormatParams::default());
        config.add_config(payload_type.into(), None, LibraryCodec::Opus, clock, channels, format);
    }
}

fn payload_types<'a>(codecs: impl Iterator<Item = &'a Codec>) -> impl Iterator<Item = u8> {
    codecs.flat_map(|codec| [Some(codec.payload_type), codec.rtx_payload_type]).flatten()
}

/// Teach what `new` has and `old` had not; `lines` is more than the library ever had.
pub(crate) fn learn(rtc: &mut Rtc, old: &PeerSpec, new: &PeerSpec, lines: usize) {
    let lessons = lessons(rtc, old, new);
    let channels = new.sctp.as_ref().filter(|_| old.sctp.is_none());
    if lessons.is_empty() && channels.is_none() {
        return;
    }
    let mut text = Offer::to(new);
    if let Some(sctp) = &new.sctp {
        text.association(sctp);
    }
    for n in usize::from(new.sctp.is_some())..=lines {
        text.reject(n);
    }
    let carriers: Vec<String> = (0..lessons.len()).map(|n| format!("{CARRIER}{n}")).collect();
    for (mid, (kind, lesson)) in carriers.iter().zip(&lessons) {
        text.media(mid, kind, lesson);
    }
    // A peer of which something cannot be learned goes on with what is known.
    if let Ok(offer) = text.parse() {
        let _ = rtc.sdp_api().accept_offer(offer);
    }
    for mid in carriers {
        rtc.direct_api().remove_media(mid.as_str().into());
    }
    drop_unwanted_streams(rtc, old);
}

/// The library makes a stream for every slot on which an offer says that it may send.
fn drop_unwanted_streams(rtc: &mut Rtc, old: &PeerSpec) {
    for slot in &old.slots {
        let mut api = rtc.direct_api();
        let made = api.stream_tx_by_mid(slot.mid.as_str().into(), None).map(|stream| *stream.ssrc());
        if let Some(ssrc) = made.filter(|_| slot.send.is_none()) {
            api.remove_stream_tx(ssrc.into());
        }
    }
}

/// An offer as the peer might have made it.
pub(crate) struct Offer {
    transport: String,
    mids: Vec<String>,
    lines: String,
}

impl Offer {
    /// Without any line yet.
    pub fn to(spec: &PeerSpec) -> Self {
        let setup = if spec.dtls_active { "passive" } else { "active" };
        let mut digest = String::new();
        for (at, byte) in spec.remote_fingerprint.digest.iter().enumerate() {
            let _ = write!(digest, "{}{byte:02X}", if at == 0 { "" } else { ":" });
        }
        let transport = format!(
            "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\na=fingerprint:{hash} {digest}\r\na=setup:{setup}\r\n",
            ufrag = spec.remote_ice.ufrag,
            password = spec.remote_ice.password,
            hash = spec.remote_fingerprint.algorithm.to_ascii_lowercase(),
        );
        Self { transport, mids: Vec::new(), lines: String::new() }
    }

    /// The line of data channels.
    pub fn association(&mut self, sctp: &SctpSpec) {
        let mid: String = sctp.mid.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        let (port, size) = (sctp.port, sctp.max_message_bytes);
        let _ = write!(
            self.lines,
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n{}\
             a=sctp-port:{port}\r\na=max-message-size:{size}\r\n",
            self.transport
        );
        self.mids.push(mid);
    }

    fn reject(&mut self, n: usize) {
        let _ = write!(self.lines, "m=none 0 UDP/DTLS/SCTP 0\r\nc=IN IP4 0.0.0.0\r\na=mid:parleynone{n}\r\n");
    }

    fn media(&mut self, mid: &str, kind: &str, lesson: &Lesson) {
        let types = lesson.types.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let _ = write!(
            self.lines,
            "m={kind} 9 UDP/TLS/RTP/SAVPF {types}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n{}\
             a=sendrecv\r\na=rtcp-mux\r\n{}",
            self.transport, lesson.lines
        );
        self.mids.push(mid.to_owned());
    }

    /// As the library takes it.
    pub fn parse(&self) -> Result<SdpOffer, RtcError> {
        let (mids, lines) = (self.mids.join(" "), &self.lines);
        let text = format!("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {mids}\r\n{lines}");
        SdpOffer::from_sdp_string(&text).map_err(|error| RtcError::RemoteSdp(error.to_string()))
    }
}

/// New numbers of one kind of media.
struct Lesson {
    types: Vec<u8>,
    lines: String,
}

fn lessons(rtc: &Rtc, old: &PeerSpec, new: &PeerSpec) -> Vec<(&'static str, Lesson)> {
    let mut extensions = String::new();
    for given in new.extensions.iter().filter(|given| !old.extensions.contains(given)) {
        if known_extension(&given.uri).is_some() {
            let _ = write!(extensions, "a=extmap:{} {}\r\n", given.id, given.uri);
        }
    }
    let mut taught = HashSet::new();
    let kinds = [(TrackKind::Video, "video"), (TrackKind::Audio, "audio")];
    let mut lessons: Vec<(&str, Lesson)> = Vec::new();
    for (kind, name) in kinds {
        let codecs = new.slots.iter().filter(|slot| slot.kind == kind).flat_map(|slot| &slot.codecs);
        let fresh: Vec<&Codec> = codecs
            .filter(|codec| library_codec(codec).is_some() && !is_known(rtc, codec.payload_type))
            .filter(|codec| taught.insert(codec.payload_type))
            .collect();
        let lesson = lesson(rtc, kind, &fresh);
        if !lesson.types.is_empty() {
            lessons.push((name, lesson));
        }
    }
    if !extensions.is_empty() {
        if lessons.is_empty() {
            // A line needs a payload type; a fixed one that is known teaches nothing.
            lessons.push(("audio", Lesson { types: vec![0], lines: "a=rtpmap:0 PCMU/8000\r\n".into() }));
        }
        for (_, lesson) in &mut lessons {
            lesson.lines.push_str(&extensions);
        }
    }
    lessons
}

fn lesson(rtc: &Rtc, kind: TrackKind, codecs: &[&Codec]) -> Lesson {
    let (mut types, mut lines) = (Vec::new(), String::new());
    for (codec, place) in codecs.iter().zip(free_places(rtc, kind)) {
        let payload_type = codec.payload_type;
        types.push(payload_type);
        let _ = match kind {
            TrackKind::Video => {
                write!(lines, "a=rtpmap:{payload_type} VP9/90000\r\na=fmtp:{payload_type} profile-id={place}\r\n")
            }
            TrackKind::Audio => write!(lines, "a=rtpmap:{payload_type} opus/48000/{place}\r\n"),
        };
        let _ = write!(lines, "a=rtcp-fb:{payload_type} transport-cc\r\n");
        if let Some(again) = codec.rtx_payload_type {
            types.push(again);
            let _ = write!(lines, "a=rtpmap:{again} rtx/90000\r\na=fmtp:{again} apt={payload_type}\r\n");
        }
    }
    Lesson { types, lines }
}

fn is_known(rtc: &Rtc, payload_type: u8) -> bool {
    rtc.codec_config().iter().any(|known| *known.pt() == payload_type)
}

/// Profiles, or numbers of channels, of the places that nothing was put in yet.
fn free_places(rtc: &Rtc, kind: TrackKind) -> Vec<u32> {
    let place = |n: usize, payload_type: u8| match kind {
        TrackKind::Video => (payload_type, FIRST_PROFILE + n as u32),
        TrackKind::Audio => (payload_type, u32::from(FIRST_CHANNELS) + n as u32),
    };
    let range = if kind == TrackKind::Video { VIDEO_PLACES } else { AUDIO_PLACES };
    let places = range.enumerate().map(|(n, payload_type)| place(n, payload_type));
    places.filter(|(payload_type, _)| is_known(rtc, *payload_type)).map(|(_, mark)| mark).collect()
}
