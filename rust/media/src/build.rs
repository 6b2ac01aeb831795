//! From a typed spec to the WebRTC library's `Rtc`, in RTP mode.
//!
//! Media is declared directly, so that mids, SSRCs and header extension ids are the caller's. Data channels are the one
//! thing that the direct interface cannot fully declare: it leaves the peer's largest message at 64 KiB. So a spec with
//! an association is applied as an offer of exactly that one m-line, made here from checked fields.

use std::collections::HashSet;
use std::fmt::Write;
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::format::{Codec as LibraryCodec, FormatParams};
use str0m::media::{Frequency, MediaKind};
use str0m::net::TcpType;
use str0m::rtp::Extension;
use str0m::{Candidate as IceCandidate, IceCreds, Rtc, RtcConfig, RtcError};

use crate::identity::Identity;
use crate::spec::{Candidate, Codec, IceCredentials, PeerSpec, Protocol, SctpSpec, Slot, StreamIds, TrackKind};

/// What the library may hold of unsent messages.
const CHANNEL_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Largest message that we take.
const MAX_MESSAGE_BYTES: u32 = 262_144;
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// Build the `Rtc` of a spec. Fails only where the library refuses what `PeerSpec::check` let pass.
pub(crate) fn build(spec: &PeerSpec, identity: &Identity, now: Instant) -> Result<Rtc, RtcError> {
    let mut config = RtcConfig::new()
        .set_rtp_mode(true)
        .set_ice_lite(spec.ice_lite)
        .set_local_ice_credentials(credentials(&spec.local_ice))
        .set_dtls_cert(identity.certificate.clone())
        .set_crypto_provider(identity.crypto.clone())
        .set_stats_interval(None)
        .set_rtcp_report_interval_audio(REPORT_EVERY)
        .set_sctp_max_buffered_amount(CHANNEL_BUFFER_BYTES)
        .set_sctp_max_message_size(MAX_MESSAGE_BYTES)
        .clear_codecs()
        .clear_extension_map();
    for extension in &spec.extensions {
        if let Some(known) = known_extension(&extension.uri) {
            config = config.set_extension(extension.id, known);
        }
    }
    let mut seen = HashSet::new();
    for codec in spec.slots.iter().flat_map(|slot| &slot.codecs) {
        let Some((library, clock)) = library_codec(codec).zip(Frequency::new(codec.clock_rate_hz)) else { continue };
        if seen.insert(codec.payload_type) {
            config.codec_config().add_config(
                codec.payload_type.into(),
                codec.rtx_payload_type.map(Into::into),
                library,
                clock,
                (codec.channels > 1).then_some(codec.channels),
                FormatParams::parse_line(&codec.parameters),
            );
        }
    }
    let mut rtc = config.build(now);
    for candidate in identity.candidates() {
        if let Some(candidate) = ice_candidate(candidate, true) {
            rtc.add_local_candidate(candidate);
        }
    }
    for candidate in &spec.remote_candidates {
        if let Some(candidate) = ice_candidate(candidate, false) {
            rtc.add_remote_candidate(candidate);
        }
    }
    if let Some(sctp) = &spec.sctp {
        rtc.sdp_api().accept_offer(association_offer(spec, sctp)?)?;
    } else {
        let fingerprint = str0m::config::Fingerprint {
            hash_func: spec.remote_fingerprint.algorithm.to_ascii_lowercase(),
            bytes: spec.remote_fingerprint.digest.clone(),
        };
        let mut api = rtc.direct_api();
        api.set_remote_ice_credentials(credentials(&spec.remote_ice));
        api.set_remote_fingerprint(fingerprint);
        api.start_dtls(spec.dtls_active)?;
    }
    rtc.direct_api().set_ice_controlling(!spec.ice_lite);
    for slot in &spec.slots {
        declare(&mut rtc, slot);
    }
    Ok(rtc)
}

/// Declare a slot and its streams.
pub(crate) fn declare(rtc: &mut Rtc, slot: &Slot) {
    let mid = slot.mid.as_str().into();
    let kind = match slot.kind {
        TrackKind::Audio => MediaKind::Audio,
        TrackKind::Video => MediaKind::Video,
    };
    let mut api = rtc.direct_api();
    let media = api.declare_media(mid, kind);
    for rid in slot.receive.iter().filter_map(|stream| stream.rid.as_deref()) {
        media.expect_rid_rx(rid.into());
    }
    for StreamIds { ssrc, rtx_ssrc, rid } in &slot.receive {
        if let Some(ssrc) = ssrc {
            api.expect_stream_rx((*ssrc).into(), rtx_ssrc.map(Into::into), mid, rid.as_deref().map(Into::into));
        }
    }
    if let Some(StreamIds { ssrc: Some(ssrc), rtx_ssrc, .. }) = &slot.send {
        api.declare_stream_tx((*ssrc).into(), rtx_ssrc.map(Into::into), mid, None);
    }
}

pub(crate) fn credentials(ice: &IceCredentials) -> IceCreds {
    IceCreds { ufrag: ice.ufrag.clone(), pass: ice.password.clone() }
}

fn ice_candidate(candidate: &Candidate, ours: bool) -> Option<IceCandidate> {
    let built = match candidate.protocol {
        Protocol::Udp => IceCandidate::builder().udp().host(candidate.addr).build(),
        Protocol::Tcp => {
            let kind = if ours { TcpType::Passive } else { TcpType::Active };
            IceCandidate::builder().tcp().host(candidate.addr).tcptype(kind).build()
        }
    };
    built.ok()
}

fn library_codec(codec: &Codec) -> Option<LibraryCodec> {
    Some(match codec.name.to_ascii_lowercase().as_str() {
        "opus" => LibraryCodec::Opus,
        "pcmu" => LibraryCodec::PCMU,
        "pcma" => LibraryCodec::PCMA,
        "g722" => LibraryCodec::G722,
        "vp8" => LibraryCodec::Vp8,
        "vp9" => LibraryCodec::Vp9,
        "h264" => LibraryCodec::H264,
        "h265" => LibraryCodec::H265,
        "av1" => LibraryCodec::Av1,
        _ => return None,
    })
}

fn known_extension(uri: &str) -> Option<Extension> {
    let known = [
        Extension::AudioLevel,
        Extension::RtpMid,
        Extension::RtpStreamId,
        Extension::RepairedRtpStreamId,
        Extension::AbsoluteSendTime,
        Extension::TransportSequenceNumber,
        Extension::VideoOrientation,
        Extension::TransmissionTimeOffset,
    ];
    known.into_iter().find(|extension| extension.as_uri() == uri)
}

fn association_offer(spec: &PeerSpec, sctp: &SctpSpec) -> Result<SdpOffer, RtcError> {
    let setup = if spec.dtls_active { "passive" } else { "active" };
    let mid: String = sctp.mid.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
    let mut digest = String::new();
    for (at, byte) in spec.remote_fingerprint.digest.iter().enumerate() {
        let _ = write!(digest, "{}{byte:02X}", if at == 0 { "" } else { ":" });
    }
    let text = format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {mid}\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n\
         a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\na=fingerprint:{hash} {digest}\r\na=setup:{setup}\r\n\
         a=sctp-port:{port}\r\na=max-message-size:{size}\r\n",
        ufrag = spec.remote_ice.ufrag,
        password = spec.remote_ice.password,
        hash = spec.remote_fingerprint.algorithm.to_ascii_lowercase(),
        port = sctp.port,
        size = sctp.max_message_bytes,
    );
    SdpOffer::from_sdp_string(&text).map_err(|error| RtcError::RemoteSdp(error.to_string()))
}
