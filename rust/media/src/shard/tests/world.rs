//! The pretend wire: latency, jitter and loss by a seed, several clients, and time that only the test moves.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::super::*;
use super::camera::Camera;
use crate::border::To;
use crate::channels::Message;
use crate::opus::{Effort, Encoder};
use crate::peer::ReceivedPacket;
use crate::spec::*;

const SERVER: &str = "192.0.2.1:3478";
const LATENCY: Duration = Duration::from_millis(10);

pub fn tone(samples: usize) -> Vec<i16> {
    (0..samples).map(|n| ((n as f64 * 0.1).sin() * 9_000.0) as i16).collect()
}

pub fn opus_packets(pcm: &[i16]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(32_000, Effort::Live).unwrap();
    encoder.expect_loss(10).unwrap();
    pcm.chunks_exact(480).map(|frame| encoder.encode(frame).unwrap()).collect()
}

/// Where sound begins, and how many samples lie in windows of 5 ms that sound.
pub fn voice_level(pcm: &[i16]) -> (usize, u64) {
    let sounds = |window: &[i16]| window.iter().any(|s| s.unsigned_abs() > 1_500);
    let windows: Vec<bool> = pcm.chunks(120).map(sounds).collect();
    let start = windows.iter().position(|sounds| *sounds).unwrap_or(windows.len()) * 120;
    (start, windows.iter().filter(|sounds| **sounds).count() as u64 * 120)
}

pub fn identity(addr: &str) -> Identity {
    Identity::generate(&[Candidate { addr: addr.parse().unwrap(), protocol: Protocol::Udp }]).unwrap()
}

fn codec(payload_type: u8, name: &str, clock_rate_hz: u32, channels: u8) -> Codec {
    Codec {
        payload_type,
        name: name.into(),
        clock_rate_hz,
        channels,
        parameters: String::new(),
        rtx_payload_type: None,
    }
}

fn ice(name: &str, side: &str) -> IceCredentials {
    IceCredentials { ufrag: format!("{name}{side}"), password: format!("{name}{side}").repeat(4)[..22].into() }
}

pub fn seed_of(name: &str) -> u32 {
    name.bytes().fold(7, |seed: u32, byte| seed.wrapping_mul(31).wrapping_add(u32::from(byte))) % 100_000_000 * 10
}

pub fn stream(ssrc: u32) -> StreamIds {
    StreamIds { ssrc: Some(ssrc), ..StreamIds::default() }
}

/// What the server is told of a client.
pub fn server_spec(name: &str, client: &Identity) -> PeerSpec {
    let seed = seed_of(name);
    let slot = Slot {
        mid: "0".into(),
        kind: TrackKind::Audio,
        codecs: vec![codec(111, "opus", 48_000, 2), codec(0, "PCMU", 8_000, 1)],
        publication: Some(PublicationId::from(format!("{name}/mic").as_str())),
        receive: vec![stream(seed + 1)],
        send: Some(stream(seed + 2)),
    };
    PeerSpec {
        peer: name.into(),
        local_ice: ice(name, "server"),
        remote_ice: ice(name, "client"),
        remote_fingerprint: client.fingerprint().clone(),
        dtls_active: true,
        slots: vec![slot],
        extensions: vec![HeaderExtension { id: 4, uri: "urn:ietf:params:rtp-hdrext:sdes:mid".into() }],
        sctp: Some(SctpSpec { mid: "1".into(), port: 5_000, max_message_bytes: 262_144 }),
        ice_lite: true,
        remote_candidates: vec![],
        estimate_bandwidth: false,
    }
}

pub fn mirrored(name: &str, spec: &PeerSpec, server_addr: SocketAddr, server: &Identity) -> PeerSpec {
    let seed = seed_of(name);
    let mut spec = spec.clone();
    std::mem::swap(&mut spec.local_ice, &mut spec.remote_ice);
    spec.remote_fingerprint = server.fingerprint().clone();
    spec.dtls_active = !spec.dtls_active;
    for slot in &mut spec.slots {
        slot.publication = None;
        let sent = slot.send.clone();
        slot.send = slot.receive.iter().find(|stream| stream.ssrc.is_some()).cloned();
        slot.receive = sent.into_iter().collect();
    }
    spec.slots[0].send = Some(stream(seed + 1));
    spec.estimate_bandwidth = true;
    spec.ice_lite = false;
    spec.remote_candidates = vec![Candidate { addr: server_addr, protocol: Protocol::Udp }];
    spec
}

/// What a client is told of the server.
pub fn client_spec(name: &str, server_addr: SocketAddr, server: &Identity) -> PeerSpec {
    mirrored(name, &server_spec(name, server), server_addr, server)
}

pub struct Client {
    pub peer: Peer,
    pub identity: Identity,
    pub addr: SocketAddr,
    /// What a NAT makes of its address.
    pub seen_as: Option<SocketAddr>,
    pub connected: bool,
    pub closed: Option<CloseReason>,
    pub packets: Vec<(Instant, ReceivedPacket)>,
    pub messages: Vec<Message>,
    /// Key frames that the server asked for, and when.
    pub asked: Vec<Instant>,
    /// What the way to it carries.
    pub downlink: Link,
    camera: Option<Camera>,
    shard: usize,
    mouth: Vec<(u8, u32, Option<i8>, Vec<u8>)>,
    next_frame: Option<Instant>,
    sequence: u64,
    stamp: u32,
}

impl Client {
    pub fn new(spec: PeerSpec, addr: SocketAddr, now: Instant) -> Self {
        Self::with_identity(spec, identity(&addr.to_string()), addr, now)
    }

    fn with_identity(spec: PeerSpec, identity: Identity, addr: SocketAddr, now: Instant) -> Self {
        Self {
            peer: Peer::new(spec, identity.clone(), now).unwrap(),
            identity,
            addr,
            seen_as: None,
            connected: false,
            closed: None,
            packets: vec![],
            messages: vec![],
            asked: vec![],
            downlink: Link::default(),
            camera: None,
            shard: 0,
            mouth: vec![],
            next_frame: None,
            sequence: 30_000,
            stamp: 7_000,
        }
    }

    /// Send pictures from now on.
    pub fn film(&mut self, camera: Camera) {
        camera.declare(&mut self.peer);
        self.camera = Some(camera);
    }

    pub fn take_camera(&mut self) -> Option<Camera> {
        self.camera.take()
    }

    pub fn camera(&mut self) -> &mut Camera {
        self.camera.as_mut().unwrap()
    }

    pub fn speak(&mut self, packets: Vec<Vec<u8>>) {
        self.speak_as(111, 960, packets);
    }

    /// Speak and say how loud it is.
    pub fn speak_at(&mut self, level: Option<i8>, packets: Vec<Vec<u8>>) {
        self.mouth.extend(packets.into_iter().map(|payload| (111, 960, level, payload)));
    }

    pub fn speak_as(&mut self, payload_type: u8, step: u32, packets: Vec<Vec<u8>>) {
        self.mouth.extend(packets.into_iter().map(|payload| (payload_type, step, None, payload)));
    }

    /// Twenty milliseconds of its microphone.
    fn frame(&mut self, now: Instant) {
        if self.mouth.is_empty() {
            self.stamp = self.stamp.wrapping_add(960);
            return;
        }
        let (payload_type, step, audio_level, payload) = self.mouth.remove(0);
        let packet = OutgoingPacket {
            ssrc: self.peer.spec().slots[0].send_ssrc().unwrap(),
            payload_type,
            sequence: self.sequence,
            timestamp: self.stamp,
            marker: false,
            repairable: false,
            extensions: crate::sender::ForwardedExtensions {
                audio_level,
                voice_activity: audio_level.map(|level| level > -50),
                ..Default::default()
            },
            patch: None,
            payload: payload.into(),
        };
        self.sequence += 1;
        self.stamp = self.stamp.wrapping_add(step);
        self.peer.send(now, packet);
    }
}

/// A way that carries so much, and holds what is too much for a while.
#[derive(Default)]
pub struct Link {
    pub bits_per_second: Option<u64>,
    busy_until: Option<Instant>,
}

impl Link {
    const HOLDS: Duration = Duration::from_millis(250);

    /// When a datagram that is sent now has passed; none if there is no room.
    fn pass(&mut self, now: Instant, bytes: usize) -> Option<Instant> {
        let Some(rate) = self.bits_per_second else { return Some(now) };
        let begin = self.busy_until.filter(|busy| *busy > now).unwrap_or(now);
        if begin - now > Self::HOLDS {
            return None;
        }
        let passed = begin + Duration::from_micros(bytes as u64 * 8 * 1_000_000 / rate);
        self.busy_until = Some(passed);
        Some(passed)
    }
}

struct Flight {
    /// The client it goes to; none if to the server.
    to: Option<String>,
    /// The shard that it comes to.
    shard: usize,
    source: SocketAddr,
    destination: SocketAddr,
    contents: Vec<u8>,
}

pub struct World {
    pub shard: Shard,
    /// Further shards.
    pub others: Vec<Shard>,
    pub now: Instant,
    pub events: Vec<Event>,
    pub loss_percent: u64,
    pub jitter_ms: u64,
    /// Datagrams that the server sent to nobody.
    pub strays: Vec<SocketAddr>,
    pub last_from_client: Option<Vec<u8>>,
    pub server: Identity,
    clients: BTreeMap<String, Client>,
    wire: BTreeMap<(Instant, u64), Flight>,
    sent: u64,
    random: u64,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let now = Instant::now();
        let server = identity(SERVER);
        Self {
            shard: Shard::new(server.clone(), now),
            others: vec![],
            now,
            events: vec![],
            loss_percent: 0,
            jitter_ms: 0,
            strays: vec![],
            last_from_client: None,
            server,
            clients: BTreeMap::new(),
            wire: BTreeMap::new(),
            sent: 0,
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
        }
    }

    pub fn add(&mut self, name: &str) {
        self.add_with(name, |_| {});
    }

    /// Add a client on another shard.
    pub fn add_on(&mut self, shard: usize, name: &str, change: impl FnOnce(&mut PeerSpec)) {
        while self.others.len() < shard {
            self.others.push(Shard::new(self.server.clone(), self.now));
        }
        self.add_to(shard, name, change);
    }

    /// Add a client; `change` is made to what the server is told.
    pub fn add_with(&mut self, name: &str, change: impl FnOnce(&mut PeerSpec)) {
        self.add_to(0, name, change);
    }

    fn shard_at(&mut self, shard: usize) -> &mut Shard {
        if shard == 0 { &mut self.shard } else { &mut self.others[shard - 1] }
    }

    fn add_to(&mut self, shard: usize, name: &str, change: impl FnOnce(&mut PeerSpec)) {
        let addr: SocketAddr = format!("192.0.2.10:{}", 40_000 + self.clients.len()).parse().unwrap();
        let identity = identity(&addr.to_string());
        let mut spec = server_spec(name, &identity);
        change(&mut spec);
        let theirs = mirrored(name, &spec, SERVER.parse().unwrap(), &self.server);
        self.command_on(shard, Command::AddPeer(Box::new(spec)));
        let mut client = Client::with_identity(theirs, identity, addr, self.now);
        client.shard = shard;
        self.clients.insert(name.into(), client);
    }

    /// What the server was told of a client last.
    pub fn server_spec_of(&mut self, name: &str) -> PeerSpec {
        let shard = self.clients[name].shard;
        let shard = self.shard_at(shard);
        shard.peers[&shard.keys[&PeerId::from(name)]].peer.spec().clone()
    }

    /// Tell both ends of a new agreement.
    pub fn renegotiate(&mut self, name: &str, spec: PeerSpec) {
        let theirs = mirrored(name, &spec, SERVER.parse().unwrap(), &self.server);
        let client = self.clients.get_mut(name).unwrap();
        client.peer.change(theirs);
        let shard = client.shard;
        self.command_on(shard, Command::AddPeer(Box::new(spec)));
    }

    /// Let someone without the right secrets try to be `name`.
    pub fn forge(&mut self, name: &str, change: impl FnOnce(&mut PeerSpec)) {
        let mut spec = self.client(name).peer.spec().clone();
        change(&mut spec);
        let addr = "198.51.100.66:6666".parse().unwrap();
        self.clients.insert("forger".into(), Client::new(spec, addr, self.now));
    }

    /// Put another client in the place of `name`; what the old one still had to say is on its way.
    pub fn replace(&mut self, name: &str, mut client: Client) {
        // The same certificate, as a browser keeps it.
        let old = self.clients.remove(name).unwrap();
        let identity = old.identity.clone();
        let spec = client.peer.spec().clone();
        let addr = client.addr;
        let candidates = [Candidate { addr, protocol: Protocol::Udp }];
        client = Client::with_identity(spec, identity.with_candidates(&candidates), addr, self.now);
        self.clients.insert(name.into(), client);
    }

    pub fn client(&self, name: &str) -> &Client {
        &self.clients[name]
    }

    pub fn client_mut(&mut self, name: &str) -> &mut Client {
        self.clients.get_mut(name).unwrap()
    }

    pub fn hang_up(&mut self, name: &str) {
        let (now, client) = (self.now, self.clients.get_mut(name).unwrap());
        let mut transmits = Vec::new();
        client.peer.goodbye(now, &mut transmits);
        let (source, shard) = (client.addr, client.shard);
        for transmit in transmits {
            self.put(None, shard, source, transmit.destination, transmit.contents);
        }
    }

    pub fn command(&mut self, command: Command) {
        self.command_on(0, command);
    }

    pub fn command_on(&mut self, shard: usize, command: Command) {
        let now = self.now;
        self.shard_at(shard).command(now, command);
        self.settle();
    }

    pub fn close(&mut self) {
        self.shard.close(self.now);
        self.settle();
    }

    pub fn told(&self, which: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| which(event)).count()
    }

    /// The whole lane of an ear so far.
    pub fn heard(&self, ear: &str) -> Vec<i16> {
        let mut pcm = Vec::new();
        for event in &self.events {
            if let Event::AudioHeard(id, block, _) = event
                && id.as_ref() == ear
            {
                assert_eq!(block.start_sample as usize, pcm.len());
                pcm.extend_from_slice(&block.pcm);
            }
        }
        pcm
    }

    /// Let time pass.
    pub fn run(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        loop {
            self.poll_clients();
            let next = self.next().min(until);
            self.now = next.max(self.now);
            self.deliver();
            self.settle();
            if self.now >= until {
                break;
            }
        }
        self.poll_clients();
    }

    /// Let time pass in which the server does not get to run.
    pub fn stall(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    pub fn inject(&mut self, client: &str, contents: &[u8]) {
        let source = self.client(client).seen_as.unwrap_or(self.client(client).addr);
        self.inject_from(source, contents);
    }

    pub fn inject_from(&mut self, source: SocketAddr, contents: &[u8]) {
        let destination = SERVER.parse().unwrap();
        self.shard.receive(self.now, Datagram { protocol: Protocol::Udp, source, destination, contents });
        self.settle();
    }

    pub fn noise(&mut self, first: u8, len: usize) -> Vec<u8> {
        std::iter::once(first).chain((1..len).map(|_| self.roll(256) as u8)).collect()
    }

    fn roll(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    fn next(&self) -> Instant {
        let clients = self.clients.values().flat_map(|client| {
            let peer = client.peer.deadline().filter(|_| client.closed.is_none());
            let camera = client.camera.as_ref().filter(|_| client.connected).map(Camera::due);
            peer.into_iter().chain(client.next_frame).chain(camera)
        });
        let wire = self.wire.keys().next().map(|(at, _)| *at);
        let shards = self.others.iter().filter_map(Shard::deadline);
        clients
            .chain(wire)
            .chain(self.shard.deadline())
            .chain(shards)
            .min()
            .unwrap_or(self.now + Duration::from_secs(3_600))
    }

    fn put(
        &mut self,
        to: Option<String>,
        shard: usize,
        source: SocketAddr,
        destination: SocketAddr,
        contents: Vec<u8>,
    ) {
        if self.roll(100) < self.loss_percent {
            return;
        }
        let jitter = if self.jitter_ms > 0 { self.roll(self.jitter_ms) } else { 0 };
        let link = to.as_ref().and_then(|name| self.clients.get_mut(name)).map(|client| &mut client.downlink);
        let Some(passed) = link.map_or(Some(self.now), |link| link.pass(self.now, contents.len())) else { return };
        let at = passed + LATENCY + Duration::from_millis(jitter);
        self.sent += 1;
        self.wire.insert((at, self.sent), Flight { to, shard, source, destination, contents });
    }

    fn settle(&mut self) {
        for shard in 0..=self.others.len() {
            let now = self.now;
            self.shard_at(shard).advance(now);
        }
        self.exchange();
        for shard in 0..=self.others.len() {
            self.settle_shard(shard);
        }
    }

    /// Carry what shards tell each other until nobody has anything to say.
    fn exchange(&mut self) {
        let (now, shards) = (self.now, self.others.len() + 1);
        loop {
            let mut told = Vec::new();
            for from in 0..shards {
                told.extend(self.shard_at(from).take_border().into_iter().map(|(to, message)| (from, to, message)));
            }
            if told.is_empty() || shards == 1 {
                return;
            }
            for (from, to, message) in told {
                for shard in (0..shards).filter(|shard| *shard != from) {
                    if to == To::Others || to == To::Shard(shard as u16) {
                        self.shard_at(shard).border(now, from as u16, message.clone());
                    }
                }
            }
            (0..shards).for_each(|shard| self.shard_at(shard).advance(now));
        }
    }

    fn settle_shard(&mut self, shard: usize) {
        let now = self.now;
        for event in self.shard_at(shard).take_events() {
            if let Event::AudioHeard(id, block, _) = &event {
                let fetched = Command::HeardFetched(id.clone(), block.pcm.len() as u64);
                self.shard_at(shard).command(now, fetched);
            }
            self.events.push(event);
        }
        for transmit in self.shard_at(shard).take_transmits() {
            let reached = |client: &&Client| client.seen_as.unwrap_or(client.addr) == transmit.destination;
            let name = self.clients.iter().find(|(_, client)| reached(client)).map(|(name, _)| name.clone());
            match name {
                Some(name) if name == "forger" => self.strays.push(transmit.destination),
                Some(name) => self.put(Some(name), shard, transmit.source, transmit.destination, transmit.contents),
                None => {}
            }
        }
    }

    fn deliver(&mut self) {
        while let Some((key, flight)) = self.wire.pop_first() {
            if key.0 > self.now {
                self.wire.insert(key, flight);
                break;
            }
            let (source, contents) = (flight.source, &flight.contents[..]);
            if let Some(name) = flight.to {
                if let Some(client) = self.clients.get_mut(&name) {
                    let destination = client.addr;
                    client.peer.receive(self.now, Datagram { protocol: Protocol::Udp, source, destination, contents });
                    let transmits = drain(client, self.now);
                    let (source, shard) = (client.seen_as.unwrap_or(client.addr), client.shard);
                    for transmit in transmits {
                        self.put(None, shard, source, transmit.destination, transmit.contents);
                    }
                }
            } else {
                let destination = flight.destination;
                self.last_from_client = Some(flight.contents.clone());
                let now = self.now;
                self.shard_at(flight.shard)
                    .receive(now, Datagram { protocol: Protocol::Udp, source, destination, contents });
            }
        }
    }

    fn poll_clients(&mut self) {
        let names: Vec<String> = self.clients.keys().cloned().collect();
        for name in names {
            let Some(client) = self.clients.get_mut(&name) else { continue };
            if client.connected {
                let due = *client.next_frame.get_or_insert(self.now);
                if due <= self.now {
                    client.frame(self.now);
                    client.next_frame = Some(due + Duration::from_millis(20));
                }
                if let Some(camera) = &mut client.camera {
                    camera.film(self.now, &mut client.peer);
                }
            }
            let transmits = drain(client, self.now);
            let (source, shard) = (client.seen_as.unwrap_or(client.addr), client.shard);
            for transmit in transmits {
                self.put(None, shard, source, transmit.destination, transmit.contents);
            }
        }
    }
}

fn drain(client: &mut Client, now: Instant) -> Vec<Transmit> {
    let (mut events, mut transmits) = (Vec::new(), Vec::new());
    client.peer.poll(now, &mut events, &mut transmits);
    for event in events {
        match event {
            PeerEvent::Connected => client.connected = true,
            PeerEvent::Closed(reason) => client.closed = Some(reason),
            PeerEvent::Packet(packet) => client.packets.push((now, packet)),
            PeerEvent::Message(_, message) => client.messages.push(message),
            PeerEvent::KeyframeWanted(_) => {
                client.asked.push(now);
                if let Some(camera) = &mut client.camera {
                    camera.ask();
                }
            }
            _ => {}
        }
    }
    transmits
}
