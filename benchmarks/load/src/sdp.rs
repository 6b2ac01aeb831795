//! Session descriptions of a browser-like client: what it says, and what it must know of the server's.

use std::fmt::Write;
use std::net::SocketAddr;

use parley_media::spec::{
    Candidate, Codec, Fingerprint, HeaderExtension, IceCredentials, PeerSpec, Protocol, SctpSpec, Slot, StreamIds,
    TrackKind,
};

const MID_EXTENSION: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
const MID_EXTENSION_ID: u8 = 4;
const MAX_MESSAGE_BYTES: u32 = 262_144;
/// SSRCs that one client may use.
const SSRCS_EACH: u32 = 64;

/// Hex pairs between colons.
pub fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

/// Bytes of hex pairs between colons.
pub fn digest(text: &str) -> Vec<u8> {
    text.trim().split(':').filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}

/// What an m-line carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Audio,
    Video,
    Channels,
}

/// One m-line as its owner says it.
#[derive(Debug, Clone)]
pub struct Line {
    pub mid: String,
    pub kind: Kind,
    pub sends: bool,
    pub receives: bool,
    /// Of all that it offers, the one that is spoken here.
    codec: Option<Codec>,
    stream: StreamIds,
    mid_extension: Option<u8>,
    sctp_port: u16,
    max_message_bytes: u32,
}

impl Line {
    /// A line of ours that is offered.
    pub fn new(mid: &str, kind: Kind, sends: bool, receives: bool) -> Self {
        let codec = match kind {
            Kind::Audio => Some(opus(111)),
            Kind::Video => Some(Codec::plain(96, "VP8", 90_000, 1)),
            Kind::Channels => None,
        };
        Self {
            mid: mid.to_owned(),
            kind,
            sends,
            receives,
            codec,
            stream: StreamIds::default(),
            mid_extension: Some(MID_EXTENSION_ID),
            sctp_port: 5_000,
            max_message_bytes: MAX_MESSAGE_BYTES,
        }
    }

    /// What we answer to a line of theirs: we take all that they send, and send where we sent before.
    fn answered(&self, sending: &[String]) -> Self {
        Self { sends: sending.contains(&self.mid), receives: self.sends, ..self.clone() }
    }
}

/// What the server said of itself.
struct Theirs {
    ice: IceCredentials,
    fingerprint: Fingerprint,
    active: bool,
    candidates: Vec<Candidate>,
    lines: Vec<Line>,
}

/// The client that speaks.
pub struct Speaker<'a> {
    pub number: usize,
    pub addr: SocketAddr,
    pub fingerprint: &'a [u8],
}

impl Speaker<'_> {
    /// Offer these lines.
    pub fn offer(&self, lines: &[Line]) -> String {
        self.describe(lines, "actpass")
    }

    /// Take their answer to our offer of `lines`.
    pub fn answered(&self, lines: &[Line], answer: &str) -> Option<PeerSpec> {
        let theirs = Theirs::parse(answer)?;
        Some(self.spec(lines, &theirs, !theirs.active))
    }

    /// Answer their offer, of which we send on the lines with these mids.
    pub fn answer(&self, offer: &str, sending: &[String]) -> Option<(String, PeerSpec)> {
        let theirs = Theirs::parse(offer)?;
        let lines: Vec<Line> = theirs.lines.iter().map(|line| line.answered(sending)).collect();
        let active = !theirs.active;
        let answer = self.describe(&lines, if active { "active" } else { "passive" });
        Some((answer, self.spec(&lines, &theirs, active)))
    }

    fn credentials(&self) -> IceCredentials {
        let number = self.number;
        IceCredentials { ufrag: format!("L{number:06}"), password: format!("load{number:06}withEnoughLetters") }
    }

    fn ssrc(&self, place: usize) -> u32 {
        100_000 + self.number as u32 * SSRCS_EACH + place as u32
    }

    fn describe(&self, lines: &[Line], setup: &str) -> String {
        let (ice, ip, port) = (self.credentials(), self.addr.ip(), self.addr.port());
        let mids: Vec<&str> = lines.iter().map(|line| line.mid.as_str()).collect();
        let mut text = format!(
            "v=0\r\no=- {} 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n",
            self.number,
            mids.join(" ")
        );
        for (place, line) in lines.iter().enumerate() {
            let (media, formats) = match (line.kind, &line.codec) {
                (Kind::Channels, _) => ("application", "UDP/DTLS/SCTP webrtc-datachannel".to_owned()),
                (Kind::Audio, codec) => ("audio", rtp(codec.as_ref())),
                (Kind::Video, codec) => ("video", rtp(codec.as_ref())),
            };
            let _ = write!(
                text,
                "m={media} {port} {formats}\r\nc=IN IP4 {ip}\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\n\
                 a=fingerprint:sha-256 {}\r\na=setup:{setup}\r\na=mid:{}\r\n\
                 a=candidate:1 1 udp 2130706431 {ip} {port} typ host\r\na=end-of-candidates\r\n",
                ice.ufrag,
                ice.password,
                hex(self.fingerprint),
                line.mid,
            );
            text.push_str(&self.contents(place, line));
        }
        text
    }

    fn contents(&self, place: usize, line: &Line) -> String {
        let Some(codec) = &line.codec else {
            return format!("a=sctp-port:5000\r\na=max-message-size:{MAX_MESSAGE_BYTES}\r\n");
        };
        let direction = match (line.sends, line.receives) {
            (true, true) => "sendrecv",
            (true, false) => "sendonly",
            (false, true) => "recvonly",
            (false, false) => "inactive",
        };
        let channels = if codec.channels > 1 { format!("/{}", codec.channels) } else { String::new() };
        let mut text = format!(
            "a={direction}\r\na=rtcp-mux\r\na=rtpmap:{pt} {}/{}{channels}\r\n",
            codec.name,
            codec.clock_rate_hz,
            pt = codec.payload_type
        );
        if !codec.parameters.is_empty() {
            let _ = write!(text, "a=fmtp:{} {}\r\n", codec.payload_type, codec.parameters);
        }
        if let Some(id) = line.mid_extension {
            let _ = write!(text, "a=extmap:{id} {MID_EXTENSION}\r\n");
        }
        if line.sends {
            let name = format!("load{}-{}", self.number, line.mid);
            let _ = write!(text, "a=msid:{name} {name}\r\na=ssrc:{} cname:load\r\n", self.ssrc(place));
        }
        text
    }

    fn spec(&self, lines: &[Line], theirs: &Theirs, active: bool) -> PeerSpec {
        let mut slots = Vec::new();
        let (mut sctp, mut extension) = (None, None);
        for (place, ours) in lines.iter().enumerate() {
            let Some(said) = theirs.lines.iter().find(|line| line.mid == ours.mid) else { continue };
            let kind = match ours.kind {
                Kind::Audio => TrackKind::Audio,
                Kind::Video => TrackKind::Video,
                Kind::Channels => {
                    let (port, max_message_bytes) = (said.sctp_port, said.max_message_bytes);
                    sctp = Some(SctpSpec { mid: ours.mid.clone(), port, max_message_bytes });
                    continue;
                }
            };
            extension = extension.or(said.mid_extension);
            slots.push(Slot {
                mid: ours.mid.clone(),
                kind,
                codecs: said.codec.clone().into_iter().collect(),
                publication: None,
                receive: if ours.receives { vec![said.stream.clone()] } else { vec![] },
                send: ours.sends.then(|| StreamIds { ssrc: Some(self.ssrc(place)), ..StreamIds::default() }),
            });
        }
        PeerSpec {
            peer: format!("load{}", self.number).as_str().into(),
            local_ice: self.credentials(),
            remote_ice: theirs.ice.clone(),
            remote_fingerprint: theirs.fingerprint.clone(),
            dtls_active: active,
            slots,
            extensions: extension.map(|id| HeaderExtension { id, uri: MID_EXTENSION.into() }).into_iter().collect(),
            sctp,
            ice_lite: false,
            remote_candidates: theirs.candidates.clone(),
            estimate_bandwidth: false,
        }
    }
}

fn rtp(codec: Option<&Codec>) -> String {
    format!("UDP/TLS/RTP/SAVPF {}", codec.map_or(0, |codec| codec.payload_type))
}

fn opus(payload_type: u8) -> Codec {
    let parameters = "minptime=10;useinbandfec=1".into();
    Codec { parameters, ..Codec::plain(payload_type, "opus", 48_000, 2) }
}

impl Theirs {
    fn parse(text: &str) -> Option<Self> {
        let value = |name: &'static str| values(text, name).next();
        let (_, hash) = values(text, "a=fingerprint:")
            .filter_map(|line| line.split_once(' '))
            .find(|(name, _)| name.eq_ignore_ascii_case("sha-256"))?;
        Some(Self {
            ice: IceCredentials { ufrag: value("a=ice-ufrag:")?.to_owned(), password: value("a=ice-pwd:")?.to_owned() },
            fingerprint: Fingerprint { algorithm: "sha-256".into(), digest: digest(hash) },
            active: value("a=setup:")? == "active",
            candidates: candidates(text),
            lines: text.split("\nm=").skip(1).filter_map(line).collect(),
        })
    }
}

fn values<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| line.strip_prefix(name)).map(str::trim)
}

/// One of their m-lines, unless it carries nothing that we know.
fn line(section: &str) -> Option<Line> {
    let kind = match section.split(' ').next()? {
        "audio" => Kind::Audio,
        "video" => Kind::Video,
        "application" => Kind::Channels,
        _ => return None,
    };
    let value = |name: &'static str| values(section, name).next();
    let has = |name: &str| section.lines().any(|line| line.trim() == name);
    let nothing = has("a=inactive");
    let ssrc = value("a=ssrc:").and_then(|rest| rest.split(' ').next()?.parse().ok());
    let mid_extension = values(section, "a=extmap:").find(|rest| rest.ends_with(MID_EXTENSION));
    Some(Line {
        mid: value("a=mid:")?.to_owned(),
        kind,
        sends: !nothing && !has("a=recvonly"),
        receives: !nothing && !has("a=sendonly"),
        codec: spoken(section, kind),
        stream: StreamIds { ssrc, ..StreamIds::default() },
        mid_extension: mid_extension.and_then(|rest| rest.split([' ', '/']).next()?.parse().ok()),
        sctp_port: value("a=sctp-port:").and_then(|port| port.parse().ok()).unwrap_or(5_000),
        max_message_bytes: value("a=max-message-size:").and_then(|size| size.parse().ok()).unwrap_or(65_536),
    })
}

fn spoken(section: &str, kind: Kind) -> Option<Codec> {
    let name = if kind == Kind::Audio { "opus/" } else { "VP8/" };
    let number = values(section, "a=rtpmap:").find_map(|rest| {
        let (number, codec) = rest.split_once(' ')?;
        codec.get(..name.len())?.eq_ignore_ascii_case(name).then(|| number.parse().ok())?
    })?;
    match kind {
        Kind::Audio => Some(opus(number)),
        Kind::Video => Some(Codec::plain(number, "VP8", 90_000, 1)),
        Kind::Channels => None,
    }
}

/// The UDP host candidates over IPv4.
fn candidates(text: &str) -> Vec<Candidate> {
    let mut found = Vec::new();
    for line in values(text, "a=candidate:") {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [_, "1", protocol, _, host, port, "typ", "host", ..] = fields[..]
            && protocol.eq_ignore_ascii_case("udp")
            && let Ok(addr) = format!("{host}:{port}").parse::<SocketAddr>()
        {
            let candidate = Candidate { addr, protocol: Protocol::Udp };
            if !found.contains(&candidate) {
                found.push(candidate);
            }
        }
    }
    found
}
