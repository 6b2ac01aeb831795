//! From a typed spec to the WebRTC library's `Rtc`, in RTP mode.
//!
//! Media is declared directly, so that mids, SSRCs and header extension ids are the caller's. Data channels are the one
//! thing that the direct interface cannot fully declare: it leaves the peer's largest message at 64 KiB. So a spec with
//! an association is applied as an offer of exactly that one m-line, made here from checked fields.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use str0m::bwe::Bitrate;
use str0m::format::{Codec as LibraryCodec, FormatParams};
use str0m::media::{Frequency, MediaKind};
use str0m::net::TcpType;
use str0m::rtp::{Extension, StreamTx};
use str0m::{Candidate as IceCandidate, IceCreds, Rtc, RtcConfig, RtcError};

use crate::identity::Identity;
use crate::learn::{self, Offer};
use crate::spec::{Candidate, Codec, IceCredentials, PeerSpec, Protocol, Slot, StreamIds, TrackKind};

/// What the library may hold of unsent messages.
const CHANNEL_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Largest message that we take.
const MAX_MESSAGE_BYTES: u32 = 262_144;
const REPORT_EVERY: Duration = Duration::from_secs(5);
/// What a network is taken to carry until it was measured: a small picture and sound.
const FIRST_ESTIMATE: Bitrate = Bitrate::kbps(500);
/// What is kept of a stream to be sent again.
const REPAIR_PACKETS: usize = 2_000;
const REPAIR_FOR: Duration = Duration::from_secs(3);
/// Repairs may take so much of all that is sent in a second; what is asked for beyond is dropped. Less is not enough where
/// every tenth packet is lost and others overtake each other.
const REPAIR_SHARE: f32 = 0.5;
/// The same where there is a lower layer: in a network that became narrow, repairs stand in the way of its key frame.
const REPAIR_SHARE_HELD: f32 = 0.15;
/// How often what a peer reports is gathered.
const STATISTICS_EVERY: Duration = Duration::from_secs(2);

/// Build the `Rtc` of a spec. Fails only where the library refuses what `PeerSpec::check` let pass.
pub(crate) fn build(spec: &PeerSpec, identity: &Identity, now: Instant) -> Result<Rtc, RtcError> {
    let mut config = RtcConfig::new()
        .set_rtp_mode(true)
        .set_ice_lite(spec.ice_lite)
        .set_local_ice_credentials(credentials(&spec.local_ice))
        .set_dtls_cert(identity.certificate.clone())
        .set_crypto_provider(identity.crypto.clone())
        .set_stats_interval(Some(if spec.estimates() { STATISTICS_EVERY } else { REPORT_EVERY }))
        .enable_bwe(spec.estimates().then_some(FIRST_ESTIMATE))
        .set_rtcp_report_interval_audio(REPORT_EVERY)
        .set_sctp_max_buffered_amount(CHANNEL_BUFFER_BYTES)
        .set_sctp_max_message_size(MAX_MESSAGE_BYTES)
        .clear_codecs()
        .clear_extension_map();
    for (id, extension) in learn::extensions(spec) {
        config = config.set_extension(id, extension);
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
    learn::reserve(spec, config.codec_config());
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
        let mut offer = Offer::to(spec);
        offer.association(sctp);
        rtc.sdp_api().accept_offer(offer.parse()?)?;
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
    if spec.extensions.iter().any(|extension| extension.uri == Extension::TransportSequenceNumber.as_uri()) {
        rtc.direct_api().enable_twcc_feedback();
    }
    for slot in &spec.slots {
        declare(&mut rtc, slot);
    }
    Ok(rtc)
}

/// Declare a slot and its streams.
pub(crate) fn declare(rtc: &mut Rtc, slot: &Slot) {
    let kind = match slot.kind {
        TrackKind::Audio => MediaKind::Audio,
        TrackKind::Video => MediaKind::Video,
    };
    let mut api = rtc.direct_api();
    let media = api.declare_media(slot.mid.as_str().into(), kind);
    for rid in slot.receive.iter().filter_map(|stream| stream.rid.as_deref()) {
        media.expect_rid_rx(rid.into());
    }
    expect_streams(rtc, slot);
    declare_stream(rtc, slot);
}

fn expect_streams(rtc: &mut Rtc, slot: &Slot) {
    let mut api = rtc.direct_api();
    for StreamIds { ssrc, rtx_ssrc, rid } in &slot.receive {
        if let Some(ssrc) = ssrc {
            let rid = rid.as_deref().map(Into::into);
            api.expect_stream_rx((*ssrc).into(), rtx_ssrc.map(Into::into), slot.mid.as_str().into(), rid);
        }
    }
}

fn declare_stream(rtc: &mut Rtc, slot: &Slot) {
    if let Some(StreamIds { ssrc: Some(ssrc), rtx_ssrc, .. }) = &slot.send {
        let mid = slot.mid.as_str().into();
        let mut api = rtc.direct_api();
        let known = api.stream_tx(&(*ssrc).into()).is_some();
        let stream = api.declare_stream_tx((*ssrc).into(), rtx_ssrc.map(Into::into), mid, None);
        if !known {
            pace(stream, false);
        }
    }
}

/// Hold a stream's pictures back to what the network is thought to carry, or let them go out as they come. What was sent
/// before is not sent again: after a change of layer nobody needs it.
pub(crate) fn pace(stream: &mut StreamTx, held: bool) {
    stream.set_unpaced(!held);
    let share = if held { REPAIR_SHARE_HELD } else { REPAIR_SHARE };
    stream.set_rtx_cache(REPAIR_PACKETS, REPAIR_FOR, Some(share));
}

/// Turn the declared slots `old` into `new`. A stream that we send stays as it is until another takes its place on its
/// slot: its retransmissions would begin their numbers anew, under the same key.
/// Tells how many slots are new.
pub(crate) fn redeclare(rtc: &mut Rtc, old: &[Slot], new: &[Slot]) -> usize {
    let mut declared_anew = 0;
    let rids = |slot: &Slot| -> Vec<Option<String>> { slot.receive.iter().map(|stream| stream.rid.clone()).collect() };
    let same = |a: &Slot, b: &Slot| a.mid == b.mid && a.kind == b.kind && rids(a) == rids(b);
    for gone in old.iter().filter(|before| !new.iter().any(|after| same(before, after))) {
        rtc.direct_api().remove_media(gone.mid.as_str().into());
    }
    for slot in new {
        let Some(before) = old.iter().find(|before| same(before, slot)) else {
            declare(rtc, slot);
            declared_anew += 1;
            continue;
        };
        let mut api = rtc.direct_api();
        for gone in before.receive.iter().filter(|stream| !slot.receive.contains(stream)) {
            if let Some(ssrc) = gone.ssrc {
                api.remove_stream_rx(ssrc.into());
            }
        }
        let declared = api.stream_tx_by_mid(slot.mid.as_str().into(), None).map(|stream| *stream.ssrc());
        if let (Some(declared), Some(wanted)) = (declared, slot.send_ssrc())
            && declared != wanted
        {
            api.remove_stream_tx(declared.into());
        }
        expect_streams(rtc, slot);
        declare_stream(rtc, slot);
    }
    declared_anew
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

pub(crate) fn library_codec(codec: &Codec) -> Option<LibraryCodec> {
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

pub(crate) fn known_extension(uri: &str) -> Option<Extension> {
    let known = [
        Extension::AudioLevel,
        Extension::RtpMid,
        Extension::RtpStreamId,
        Extension::RepairedRtpStreamId,
        Extension::AbsoluteSendTime,
        Extension::TransportSequenceNumber,
        Extension::VideoOrientation,
        Extension::TransmissionTimeOffset,
        Extension::PlayoutDelay,
    ];
    known.into_iter().find(|extension| extension.as_uri() == uri)
}
