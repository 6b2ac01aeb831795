//! One peer: ICE, DTLS, SRTP and data channels behind plain inputs and outputs.
//!
//! The WebRTC library's `Rtc` is replaceable at any time, all state that must outlive it is here. That matters when a
//! browser closes its first m-line: it says goodbye and begins a second handshake from a new port under the same ufrag.
//! So after a goodbye the peer is kept for a moment, and a check from another address that proves its integrity, or a
//! `ClientHello` from one, makes it anew in place; channels keep their numbers.
//!
//! The rule of use: after every input call [`Peer::poll`]. Neighbours: `build` declares, `channels` queues messages,
//! `sender` sends packets, `shard` owns the peers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::bwe::{Bitrate, BweKind};
use str0m::channel::ChannelId;
use str0m::net::{Protocol as LibraryProtocol, Receive};
use str0m::rtp::RtpPacket;
use str0m::{Event, Input, Output, Rtc, RtcError};

use crate::build::{build, credentials, pace, redeclare};
use crate::channels::{ChannelOptions, Channels, Message};
use crate::identity::Identity;
use crate::learn::learn;
use crate::path::Path;
use crate::sender::{ForwardedExtensions, LibrarySender, OutgoingPacket, Sender};
use crate::spec::{PeerSpec, Protocol};

/// A handshake that has not ended by then has failed.
const HANDSHAKE_FOR: Duration = Duration::from_secs(30);
/// A handshake of ours that nobody heard for so long is begun anew when somebody listens.
const STALE_AFTER: Duration = Duration::from_millis(400);
/// Without a proven check for so long, the peer is gone: a network that comes back within 30 s (RFC 7675) is in time, and
/// the last check before it died was up to 3 s old.
const CONSENT_FOR: Duration = Duration::from_secs(33);
/// How long a goodbye may turn out to be a second handshake.
const FAREWELL_FOR: Duration = Duration::from_millis(300);
/// Streams that may appear without having been declared.
const MAX_LEARNED_STREAMS: usize = 16;
/// Outputs taken in one poll before something must be wrong.
const MAX_OUTPUTS: usize = 100_000;

/// A datagram that came in.
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    /// How.
    pub protocol: Protocol,
    /// From whom.
    pub source: SocketAddr,
    /// To which of our candidates.
    pub destination: SocketAddr,
    /// RFC 7983.
    pub contents: &'a [u8],
}

/// A datagram to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// How.
    pub protocol: Protocol,
    /// From which of our candidates.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// Ready to be sent.
    pub contents: Vec<u8>,
}

/// Why a peer is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// By us.
    Removed,
    /// By the peer.
    Remote,
    /// Consent lost.
    Timeout,
    /// The handshake did not come about, or a rule was broken.
    Failed,
    /// Too many unread messages.
    Overflow,
    /// Everything ends.
    Closed,
}

/// A packet that came in.
#[derive(Debug, Clone)]
pub struct ReceivedPacket {
    /// The place of its slot in the spec.
    pub slot: usize,
    /// Simulcast layer.
    pub rid: Option<Arc<str>>,
    /// As on the wire.
    pub ssrc: u32,
    /// As on the wire.
    pub payload_type: u8,
    /// Extended beyond 16 bits.
    pub sequence: u64,
    /// As on the wire.
    pub timestamp: u32,
    /// As on the wire.
    pub marker: bool,
    /// What forwarding keeps.
    pub extensions: ForwardedExtensions,
    /// Without header and padding.
    pub payload: Arc<[u8]>,
}

/// What a peer tells.
#[derive(Debug, Clone)]
pub enum PeerEvent {
    /// ICE and DTLS are done, for the first time.
    Connected,
    /// The last event.
    Closed(CloseReason),
    /// Media.
    Packet(ReceivedPacket),
    /// The peer wants a key frame on the slot at this place.
    KeyframeWanted(usize),
    /// A channel is open.
    ChannelOpened(u16, ChannelOptions),
    /// A channel is closed.
    ChannelClosed(u16),
    /// A whole message.
    Message(u16, Message),
    /// So many bytes have left.
    Drained(u16, u64),
}

/// What a peer reports of what it gets on one slot.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reported {
    pub loss: Option<f32>,
    /// In the codec's clock.
    pub jitter: Option<u32>,
    pub nacks: u64,
    pub keyframes_wanted: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Until then it must be connected.
    Connecting(Instant),
    Connected,
    /// Said goodbye; over for good at that time.
    Leaving(Instant, CloseReason),
    Gone,
}

/// One peer.
pub struct Peer {
    spec: PeerSpec,
    identity: Identity,
    rtc: Rtc,
    phase: Phase,
    told_connected: bool,
    built_at: Instant,
    /// Whether any check has come since it was built.
    checked: bool,
    channels: Channels,
    consent_until: Instant,
    /// Where DTLS and media come from.
    media_source: Option<SocketAddr>,
    streams: HashMap<u32, (usize, Option<Arc<str>>)>,
    learned: usize,
    closed_channels: Vec<ChannelId>,
    path: Path,
    wake_at: Option<Instant>,
    /// Handshakes begun; each has keys of its own.
    generation: u32,
    estimate: Option<u64>,
    /// What a receiver says that cannot report on every packet.
    remb: Option<u64>,
    round_trip: Option<Duration>,
    reported: HashMap<String, Reported>,
    /// Slots that were ever declared.
    lines: usize,
    /// Streams whose pictures are held back, by SSRC.
    held: Vec<u32>,
}

impl Peer {
    /// Make a peer. Fails where the library refuses the spec.
    pub fn new(spec: PeerSpec, identity: Identity, now: Instant) -> Result<Self, RtcError> {
        let rtc = build(&spec, &identity, now)?;
        let lines = spec.slots.len();
        Ok(Self {
            spec,
            identity,
            rtc,
            phase: Phase::Connecting(now + HANDSHAKE_FOR),
            told_connected: false,
            built_at: now,
            checked: false,
            channels: Channels::default(),
            consent_until: now + CONSENT_FOR,
            media_source: None,
            streams: HashMap::new(),
            learned: 0,
            closed_channels: Vec::new(),
            path: Path::default(),
            wake_at: Some(now),
            generation: 0,
            estimate: None,
            remb: None,
            round_trip: None,
            reported: HashMap::new(),
            lines,
            held: Vec::new(),
        })
    }

    /// What it lives by.
    pub fn spec(&self) -> &PeerSpec {
        &self.spec
    }

    /// Counts its handshakes: with each, keys and the numbers of what it sends begin anew.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// What its network carries from us, in bits a second, as far as that is known.
    pub fn estimate(&self) -> Option<u64> {
        self.estimate
    }

    /// The same as a receiver says itself. It knows only of what it gets: a high value means nothing.
    pub fn remb(&self) -> Option<u64> {
        self.remb
    }

    /// There and back.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// What it reports of a slot.
    pub(crate) fn reported(&self, mid: &str) -> Reported {
        self.reported.get(mid).copied().unwrap_or_default()
    }

    /// Find out whether its network carries so much, in bits a second.
    pub fn look_for(&mut self, desired: u64) {
        self.rtc.bwe().set_bitrate(Bitrate::from(0_u64), Bitrate::from(desired));
    }

    /// Hold the pictures of these streams back to what its network is thought to carry; those of others go out at once.
    pub fn pace(&mut self, held: &[u32]) {
        if self.held == held {
            return;
        }
        let mut api = self.rtc.direct_api();
        for ssrc in self.held.iter().chain(held).filter(|ssrc| self.held.contains(ssrc) != held.contains(ssrc)) {
            if let Some(stream) = api.stream_tx(&(*ssrc).into()) {
                pace(stream, held.contains(ssrc));
            }
        }
        self.held = held.to_vec();
    }

    /// Forget how the estimate came about and find out anew, from where it is.
    pub fn estimate_anew(&mut self) {
        if let Some(estimate) = self.estimate {
            self.rtc.bwe().reset(Bitrate::from(estimate));
        }
    }

    /// When it wants to be polled at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        let own = match self.phase {
            Phase::Connecting(until) | Phase::Leaving(until, _) => Some(until),
            Phase::Connected => Some(self.consent_until),
            Phase::Gone => return None,
        };
        own.into_iter().chain(self.wake_at).min()
    }

    /// Take a datagram; true if it is a check that proved its integrity, so that its source may be learned.
    pub fn receive(&mut self, now: Instant, datagram: Datagram<'_>) -> bool {
        let protocol = match datagram.protocol {
            Protocol::Udp => LibraryProtocol::Udp,
            Protocol::Tcp => LibraryProtocol::Tcp,
        };
        let parse = || Receive::new(protocol, datagram.source, datagram.destination, datagram.contents).ok();
        let Some(first) = datagram.contents.first() else { return false };
        let check = *first < 20;
        if check && !parse().is_some_and(|receive| self.rtc.accepts(&Input::Receive(now, receive))) {
            return false;
        }
        let late_start = check && self.has_waited(now);
        if (late_start || self.is_second_handshake(&datagram, check)) && !self.begin_anew(now) {
            return false;
        }
        if check {
            self.checked = true;
            self.consent_until = now + CONSENT_FOR;
            self.path.checked(now, (datagram.protocol, datagram.source));
        } else if (128..192).contains(first) {
            self.learn_stream(datagram.contents);
        } else if matches!(self.phase, Phase::Connecting(_)) {
            self.media_source = Some(datagram.source);
        }
        if let Some(receive) = parse()
            && self.rtc.handle_input(Input::Receive(now, receive)).is_err()
        {
            // One bad record does not end a connection; the library closes by itself what cannot go on.
            self.wake_at = Some(now);
        }
        check
    }

    /// Let time pass and take everything that is to be told and sent.
    pub fn poll(&mut self, now: Instant, events: &mut Vec<PeerEvent>, transmits: &mut Vec<Transmit>) {
        match self.phase {
            Phase::Gone => return,
            Phase::Connecting(until) if now >= until => return self.end(CloseReason::Failed, events),
            Phase::Connected if now >= self.consent_until => return self.end(CloseReason::Timeout, events),
            Phase::Leaving(until, reason) if now >= until => return self.end(reason, events),
            _ => {}
        }
        let mut failed = self.rtc.handle_input(Input::Timeout(now)).is_err();
        for _ in 0..MAX_OUTPUTS {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.wake_at = Some(at);
                    if self.phase != Phase::Connected || !self.channels.pump(now, &mut self.rtc, events) {
                        break;
                    }
                    failed |= self.rtc.handle_input(Input::Timeout(now)).is_err();
                }
                Ok(Output::Transmit(transmit)) => transmits.push(self.path.redirect(to_transmit(transmit))),
                Ok(Output::Event(event)) => self.on_event(now, event, events),
                Err(_) => {
                    failed = true;
                    break;
                }
            }
        }
        for id in std::mem::take(&mut self.closed_channels) {
            // Those that fell with the connection may live on in the next.
            if self.phase == Phase::Connected {
                events.extend(self.channels.closed(id));
            }
        }
        if failed && !self.checked && self.begin_anew(now) {
            return;
        }
        if failed && !self.rtc.is_alive() && matches!(self.phase, Phase::Connecting(_) | Phase::Connected) {
            self.end(CloseReason::Failed, events);
        }
    }

    /// Become what `spec` says.
    pub fn change(&mut self, spec: PeerSpec) {
        learn(&mut self.rtc, &self.spec, &spec, self.lines);
        self.lines += redeclare(&mut self.rtc, &self.spec.slots, &spec.slots);
        if spec.remote_ice != self.spec.remote_ice || spec.local_ice != self.spec.local_ice {
            let mut api = self.rtc.direct_api();
            api.set_local_ice_credentials(credentials(&spec.local_ice));
            api.set_remote_ice_credentials(credentials(&spec.remote_ice));
        }
        self.streams.clear();
        self.spec = spec;
    }

    /// Send a packet with the next poll; false if there is no such stream.
    pub fn send(&mut self, now: Instant, packet: OutgoingPacket) -> bool {
        self.phase == Phase::Connected && LibrarySender(&mut self.rtc).send(now, packet)
    }

    /// What is beneath, for tests that play a peer which is not ours.
    #[cfg(test)]
    pub(crate) fn library(&mut self) -> &mut Rtc {
        &mut self.rtc
    }

    /// Ask the peer for a key frame on the slot at this place.
    pub fn request_keyframe(&mut self, slot: usize, rid: Option<&str>) {
        let Some(slot) = self.spec.slots.get(slot) else { return };
        let mut api = self.rtc.direct_api();
        if let Some(stream) = api.stream_rx_by_mid(slot.mid.as_str().into(), rid.map(Into::into)) {
            stream.request_keyframe(str0m::media::KeyframeRequestKind::Pli);
        }
    }

    /// Open a channel; false if the peer takes none or the number is in use.
    pub fn open_channel(&mut self, number: u16, options: ChannelOptions) -> bool {
        self.spec.sctp.is_some() && self.channels.open(&mut self.rtc, number, options)
    }

    /// Queue a message; false if there is no such channel.
    pub fn send_message(&mut self, number: u16, message: Message) -> bool {
        self.channels.send(number, message)
    }

    /// Close a channel after what was sent before; false if there is none.
    pub fn close_channel(&mut self, number: u16) -> bool {
        self.channels.close(number)
    }

    /// Say goodbye at once, as far as it can be said. Nothing comes from this peer any more.
    pub fn goodbye(&mut self, now: Instant, transmits: &mut Vec<Transmit>) {
        let said_before = transmits.len();
        if self.rtc.close().is_ok() && self.rtc.handle_input(Input::Timeout(now)).is_ok() {
            for _ in 0..MAX_OUTPUTS {
                match self.rtc.poll_output() {
                    Ok(Output::Transmit(transmit)) => transmits.push(to_transmit(transmit)),
                    Ok(Output::Event(_)) => {}
                    Ok(Output::Timeout(_)) | Err(_) => break,
                }
            }
        }
        // The library says its close_notify first, behind which nobody reads the BYE. RTCP begins with 128 to 191
        // (RFC 7983 §7).
        transmits[said_before..].sort_by_key(|transmit| !matches!(transmit.contents[..], [128..=191, ..]));
        self.phase = Phase::Gone;
    }

    fn end(&mut self, reason: CloseReason, events: &mut Vec<PeerEvent>) {
        self.phase = Phase::Gone;
        events.push(PeerEvent::Closed(reason));
    }

    fn on_event(&mut self, now: Instant, event: Event, events: &mut Vec<PeerEvent>) {
        match event {
            Event::Connected => {
                if matches!(self.phase, Phase::Connecting(_)) {
                    self.phase = Phase::Connected;
                }
                if !std::mem::replace(&mut self.told_connected, true) {
                    events.push(PeerEvent::Connected);
                }
            }
            Event::Closed if matches!(self.phase, Phase::Connecting(_) | Phase::Connected) => {
                self.phase = Phase::Leaving(now + FAREWELL_FOR, CloseReason::Remote);
            }
            Event::RtpPacket(packet) => events.extend(self.received(packet).map(PeerEvent::Packet)),
            Event::KeyframeRequest(request) => {
                let place = self.spec.slots.iter().position(|slot| request.mid == slot.mid.as_str().into());
                events.extend(place.map(PeerEvent::KeyframeWanted));
            }
            Event::ChannelOpen(id, label) => events.extend(self.channels.opened(&mut self.rtc, id, label)),
            Event::ChannelClose(id) => self.closed_channels.push(id),
            Event::EgressBitrateEstimate(BweKind::Twcc { estimate, can_probe }) => {
                self.estimate = can_probe.then(|| estimate.as_u64());
            }
            Event::EgressBitrateEstimate(BweKind::Remb { estimate, .. }) => self.remb = Some(estimate.as_u64()),
            Event::PeerStats(stats) => self.round_trip = stats.rtt.or(self.round_trip),
            Event::MediaEgressStats(stats) => {
                let reported = self.reported.entry(stats.mid.to_string()).or_default();
                reported.loss = stats.loss.or(reported.loss);
                reported.jitter = stats.remote.map(|remote| remote.jitter).or(reported.jitter);
                (reported.nacks, reported.keyframes_wanted) = (stats.nacks, stats.plis + stats.firs);
                self.round_trip = stats.rtt.or(self.round_trip);
            }
            Event::ChannelData(data) => events.extend(self.channels.received(data.id, data.binary, data.data)),
            _ => {}
        }
    }

    fn received(&mut self, packet: RtpPacket) -> Option<ReceivedPacket> {
        let ssrc = *packet.header.ssrc;
        if !self.streams.contains_key(&ssrc) {
            let mut api = self.rtc.direct_api();
            let stream = api.stream_rx(&packet.header.ssrc)?;
            let (mid, rid) = (stream.mid(), stream.rid());
            let place = self.spec.slots.iter().position(|slot| mid == slot.mid.as_str().into())?;
            self.streams.insert(ssrc, (place, rid.map(|rid| rid.to_string().into())));
        }
        let (slot, rid) = self.streams.get(&ssrc)?.clone();
        let values = &packet.header.ext_vals;
        Some(ReceivedPacket {
            slot,
            rid,
            ssrc,
            payload_type: *packet.header.payload_type,
            sequence: *packet.seq_no,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            extensions: ForwardedExtensions {
                audio_level: values.audio_level,
                voice_activity: values.voice_activity,
                orientation: values.video_orientation,
            },
            payload: packet.payload,
        })
    }

    /// Expect a stream that nobody declared, where its payload type can belong to one slot only. Devices that send
    /// neither `ssrc` lines nor the mid extension need it.
    fn learn_stream(&mut self, contents: &[u8]) {
        let Some((header, ssrc)) =
            contents.first_chunk::<12>().map(|h| (h, u32::from_be_bytes([h[8], h[9], h[10], h[11]])))
        else {
            return;
        };
        let payload_type = header[1] & 0x7F;
        let control = (64..96).contains(&payload_type);
        if control || self.learned >= MAX_LEARNED_STREAMS || self.streams.contains_key(&ssrc) {
            return;
        }
        let open = |slot: &&crate::spec::Slot| {
            slot.receive.iter().any(|stream| stream.ssrc.is_none() && stream.rid.is_none())
                && slot.codecs.iter().any(|codec| codec.payload_type == payload_type)
        };
        let mut fitting = self.spec.slots.iter().filter(open);
        if let (Some(slot), None) = (fitting.next(), fitting.next()) {
            let mid = slot.mid.as_str().into();
            let mut api = self.rtc.direct_api();
            if api.stream_rx(&ssrc.into()).is_none() {
                api.expect_stream_rx(ssrc.into(), None, mid, None);
                self.learned += 1;
            }
        }
    }

    /// A handshake that began before the peer could hear it repeats itself ever more slowly; a new one is heard at once.
    fn has_waited(&self, now: Instant) -> bool {
        !self.checked && self.spec.dtls_active && now >= self.built_at + STALE_AFTER
    }

    fn is_second_handshake(&self, datagram: &Datagram<'_>, check: bool) -> bool {
        let elsewhere = self.media_source.is_some_and(|known| known != datagram.source);
        match self.phase {
            Phase::Leaving(_, CloseReason::Remote) => check && elsewhere,
            Phase::Connected => elsewhere && !check && is_client_hello(datagram.contents),
            _ => false,
        }
    }

    fn begin_anew(&mut self, now: Instant) -> bool {
        let Ok(rtc) = build(&self.spec, &self.identity, now) else { return false };
        self.rtc = rtc;
        self.channels.declare_again(&mut self.rtc);
        if !matches!(self.phase, Phase::Connecting(_)) {
            self.phase = Phase::Connecting(now + HANDSHAKE_FOR);
        }
        (self.built_at, self.checked, self.wake_at) = (now, false, Some(now));
        self.generation += 1;
        self.lines = self.spec.slots.len();
        (self.estimate, self.remb) = (None, None);
        self.held.clear();
        self.media_source = None;
        self.path = Path::default();
        self.streams.clear();
        self.learned = 0;
        true
    }
}

/// The first record of a DTLS handshake: type, epoch 0, message type.
fn is_client_hello(contents: &[u8]) -> bool {
    contents.len() > 13 && contents[0] == 22 && contents[3..5] == [0, 0] && contents[13] == 1
}

fn to_transmit(transmit: str0m::net::Transmit) -> Transmit {
    let protocol = match transmit.proto {
        LibraryProtocol::Udp => Protocol::Udp,
        _ => Protocol::Tcp,
    };
    Transmit {
        protocol,
        source: transmit.source,
        destination: transmit.destination,
        contents: transmit.contents.into(),
    }
}
