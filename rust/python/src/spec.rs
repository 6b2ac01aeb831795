//! A peer's spec as Python has it (`parley.media.peer_spec`), attribute by attribute.

use std::net::SocketAddr;

use parley_media::layers::Fallback;
use parley_media::spec;
use pyo3::prelude::*;

use crate::errors::MediaCoreRefused;

#[derive(FromPyObject)]
struct Ice {
    ufrag: String,
    password: String,
}

#[derive(FromPyObject)]
struct Fingerprint {
    algorithm: String,
    value: String,
}

#[derive(FromPyObject)]
struct Candidate {
    host: String,
    port: u16,
    protocol: String,
}

#[derive(FromPyObject)]
struct Codec {
    payload_type: u8,
    name: String,
    clock_rate_hz: u32,
    channels: u8,
    parameters: String,
    rtx_payload_type: Option<u8>,
}

#[derive(FromPyObject)]
struct Extension {
    extension_id: u8,
    uri: String,
}

#[derive(FromPyObject)]
struct Stream {
    ssrc: Option<u32>,
    rtx_ssrc: Option<u32>,
    rid: Option<String>,
}

#[derive(FromPyObject)]
struct Slot {
    mid: String,
    kind: String,
    codecs: Vec<Codec>,
    publication: Option<String>,
    receive: Vec<Stream>,
    send: Option<Stream>,
}

#[derive(FromPyObject)]
struct Sctp {
    mid: String,
    port: u16,
    max_message_bytes: u32,
}

/// A `PeerSpec`.
#[derive(FromPyObject)]
pub(crate) struct Peer {
    #[pyo3(attribute("peer"))]
    id: String,
    pub(crate) shard: usize,
    local_ice: Ice,
    remote_ice: Ice,
    remote_fingerprint: Fingerprint,
    dtls_role: String,
    slots: Vec<Slot>,
    extensions: Vec<Extension>,
    sctp: Option<Sctp>,
    ice_lite: bool,
    remote_candidates: Vec<Candidate>,
    estimate_bandwidth: bool,
}

impl Peer {
    /// As the core has it.
    pub(crate) fn into_core(self) -> PyResult<spec::PeerSpec> {
        Ok(spec::PeerSpec {
            peer: self.id.as_str().into(),
            local_ice: ice(self.local_ice),
            remote_ice: ice(self.remote_ice),
            remote_fingerprint: fingerprint(self.remote_fingerprint)?,
            dtls_active: self.dtls_role == "active",
            slots: self.slots.into_iter().map(slot).collect(),
            extensions: self
                .extensions
                .into_iter()
                .map(|extension| spec::HeaderExtension { id: extension.extension_id, uri: extension.uri })
                .collect(),
            sctp: self.sctp.map(|sctp| spec::SctpSpec {
                mid: sctp.mid,
                port: sctp.port,
                max_message_bytes: sctp.max_message_bytes,
            }),
            ice_lite: self.ice_lite,
            // A name that is no address, as browsers hide theirs behind, cannot be checked; such a peer checks us.
            remote_candidates: self.remote_candidates.iter().filter_map(candidate).collect(),
            estimate_bandwidth: self.estimate_bandwidth,
        })
    }
}

fn ice(ice: Ice) -> spec::IceCredentials {
    spec::IceCredentials { ufrag: ice.ufrag, password: ice.password }
}

fn fingerprint(fingerprint: Fingerprint) -> PyResult<spec::Fingerprint> {
    let byte = |pair: &str| (pair.len() == 2).then(|| u8::from_str_radix(pair, 16).ok()).flatten();
    let digest: Option<Vec<u8>> = fingerprint.value.split(':').map(byte).collect();
    let digest = digest.ok_or_else(|| {
        MediaCoreRefused::new_err("remote_fingerprint: expected hex pairs between colons, of sha-256 or sha-1")
    })?;
    Ok(spec::Fingerprint { algorithm: fingerprint.algorithm, digest })
}

fn candidate(candidate: &Candidate) -> Option<spec::Candidate> {
    let protocol = if candidate.protocol == "tcp" { spec::Protocol::Tcp } else { spec::Protocol::Udp };
    Some(spec::Candidate { addr: SocketAddr::new(candidate.host.parse().ok()?, candidate.port), protocol })
}

fn stream(stream: Stream) -> spec::StreamIds {
    spec::StreamIds { ssrc: stream.ssrc, rtx_ssrc: stream.rtx_ssrc, rid: stream.rid }
}

fn codec(codec: Codec) -> spec::Codec {
    spec::Codec {
        payload_type: codec.payload_type,
        name: codec.name,
        clock_rate_hz: codec.clock_rate_hz,
        channels: codec.channels,
        parameters: codec.parameters,
        rtx_payload_type: codec.rtx_payload_type,
    }
}

fn slot(slot: Slot) -> spec::Slot {
    spec::Slot {
        mid: slot.mid,
        kind: if slot.kind == "video" { spec::TrackKind::Video } else { spec::TrackKind::Audio },
        codecs: slot.codecs.into_iter().map(codec).collect(),
        publication: slot.publication.map(|name| name.as_str().into()),
        receive: slot.receive.into_iter().map(stream).collect(),
        send: slot.send.map(stream),
    }
}

/// How to go on from a layer, by its name in Python.
pub(crate) fn fallback(name: &str) -> Fallback {
    match name {
        "never" => Fallback::Never,
        "asciibetical" => Fallback::Asciibetical,
        _ => Fallback::Measured,
    }
}
