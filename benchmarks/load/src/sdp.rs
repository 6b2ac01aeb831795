//! The offer of a browser-like client, and what it must know of an answer.

use std::fmt::Write;
use std::net::SocketAddr;

use parley_media::spec::{
    Candidate, Codec, Fingerprint, HeaderExtension, IceCredentials, PeerSpec, Protocol, SctpSpec, Slot, StreamIds,
    TrackKind,
};

/// Hex pairs between colons.
pub fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

/// Bytes of hex pairs between colons.
pub fn digest(text: &str) -> Vec<u8> {
    text.trim().split(':').filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}

fn credentials(number: usize) -> IceCredentials {
    IceCredentials { ufrag: format!("L{number:06}"), password: format!("load{number:06}-with-enough-letters") }
}

fn ssrc(number: usize) -> u32 {
    100_000 + number as u32
}

/// Opus both ways, and data channels.
pub fn offer(number: usize, addr: SocketAddr, fingerprint: &[u8]) -> String {
    let ice = credentials(number);
    let mut transport = format!(
        "c=IN IP4 {ip}\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=fingerprint:sha-256 {}\r\na=setup:actpass\r\n",
        ice.ufrag,
        ice.password,
        hex(fingerprint),
        ip = addr.ip(),
    );
    let _ = write!(
        transport,
        "a=candidate:1 1 udp 2130706431 {} {} typ host\r\na=end-of-candidates\r\n",
        addr.ip(),
        addr.port()
    );
    format!(
        "v=0\r\no=- {number} 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
         m=audio {port} UDP/TLS/RTP/SAVPF 111\r\n{transport}a=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\n\
         a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=rtpmap:111 opus/48000/2\r\n\
         a=fmtp:111 minptime=10;useinbandfec=1\r\na=msid:load mic{number}\r\na=ssrc:{ssrc} cname:load\r\n\
         m=application {port} UDP/DTLS/SCTP webrtc-datachannel\r\n{transport}a=mid:1\r\na=sctp-port:5000\r\n\
         a=max-message-size:262144\r\n",
        port = addr.port(),
        ssrc = ssrc(number),
    )
}

/// Our side of a call, as the answer says. `server` replaces the address of a candidate where it is not empty.
pub fn spec(number: usize, answer: &str) -> Option<PeerSpec> {
    let value = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let audio = answer.split("m=").find(|section| section.starts_with("audio"))?;
    let their_ssrc = audio.lines().find_map(|line| line.strip_prefix("a=ssrc:"));
    let their_ssrc = their_ssrc.and_then(|rest| rest.split(' ').next()?.parse().ok());
    let opus = Codec {
        payload_type: 111,
        name: "opus".into(),
        clock_rate_hz: 48_000,
        channels: 2,
        parameters: "minptime=10;useinbandfec=1".into(),
        rtx_payload_type: None,
    };
    Some(PeerSpec {
        peer: format!("load{number}").as_str().into(),
        local_ice: credentials(number),
        remote_ice: IceCredentials {
            ufrag: value("a=ice-ufrag:")?.to_owned(),
            password: value("a=ice-pwd:")?.to_owned(),
        },
        remote_fingerprint: Fingerprint { algorithm: "sha-256".into(), digest: digest(sha_256(answer)?) },
        dtls_active: value("a=setup:")? == "passive",
        slots: vec![Slot {
            mid: "0".into(),
            kind: TrackKind::Audio,
            codecs: vec![opus],
            publication: None,
            receive: vec![StreamIds { ssrc: their_ssrc, ..StreamIds::default() }],
            send: Some(StreamIds { ssrc: Some(ssrc(number)), ..StreamIds::default() }),
        }],
        extensions: vec![HeaderExtension { id: 4, uri: "urn:ietf:params:rtp-hdrext:sdes:mid".into() }],
        sctp: Some(SctpSpec { mid: "1".into(), port: 5_000, max_message_bytes: 262_144 }),
        ice_lite: false,
        remote_candidates: candidates(answer),
        estimate_bandwidth: false,
    })
}

fn sha_256(answer: &str) -> Option<&str> {
    let lines = answer.lines().filter_map(|line| line.strip_prefix("a=fingerprint:"));
    lines
        .filter_map(|line| line.trim().split_once(' '))
        .find(|(hash, _)| hash.eq_ignore_ascii_case("sha-256"))
        .map(|found| found.1)
}

/// The UDP host candidates over IPv4.
fn candidates(answer: &str) -> Vec<Candidate> {
    let mut found = Vec::new();
    for line in answer.lines().filter_map(|line| line.strip_prefix("a=candidate:")) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [_, _, protocol, _, host, port, "typ", "host", ..] = fields[..]
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
