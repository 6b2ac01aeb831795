//! A server and clients, each with a socket of its own, on sockets or in virtual time, and what both have told.

#![allow(dead_code)] // each test file uses its part of this module

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parley_driver::core::{Core, Options};
use parley_driver::virtual_network::{Conditions, Meddler, VirtualNetwork};
use parley_media::channels::{ChannelOptions, Message};
use parley_media::listener::ListenerOptions;
use parley_media::plane::{Command, Event};
use parley_media::spec::*;

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
pub struct Told {
    pub server: Vec<Event>,
    pub client: Vec<Event>,
}

pub struct Pair {
    pub server: Core,
    pub told: Told,
    clients: BTreeMap<String, (Core, usize)>,
    network: Option<VirtualNetwork>,
}

/// How often seeded tests repeat: more in a soak.
pub fn rounds(quick: u64) -> u64 {
    std::env::var("PARLEY_SOAK_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(quick)
}

/// A seeded generator of numbers (xorshift).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }
}

pub fn tone(samples: usize) -> Vec<i16> {
    (0..samples).map(|n| ((n as f64 * 0.1).sin() * 9_000.0) as i16).collect()
}

pub fn voice_samples(pcm: &[i16]) -> usize {
    pcm.chunks(120).filter(|chunk| chunk.iter().any(|sample| sample.unsigned_abs() > 1_500)).count() * 120
}

pub fn heard(events: &[Event], ear: &str) -> Vec<i16> {
    let mut pcm = Vec::new();
    for event in events {
        if let Event::AudioHeard(id, block, _) = event
            && id.as_ref() == ear
        {
            pcm.extend_from_slice(&block.pcm);
        }
    }
    pcm
}

pub fn message(text: &str) -> Message {
    Message { binary: false, data: text.into() }
}

pub fn opened(events: &[Event], peer: &str) -> bool {
    events.iter().any(|event| matches!(event, Event::ChannelOpened(id, ..) if id.as_ref() == peer))
}

fn ice(peer: &str, side: &str) -> IceCredentials {
    IceCredentials { ufrag: format!("{peer}{side}"), password: format!("{peer}{side}").repeat(9)[..24].into() }
}

fn stream(ssrc: u32) -> StreamIds {
    StreamIds { ssrc: Some(ssrc), ..StreamIds::default() }
}

fn spec(peer: &str, other: &Core, server: bool, remote: Vec<Candidate>) -> PeerSpec {
    let seed = peer.bytes().fold(1_000, |sum: u32, byte| sum * 7 + u32::from(byte));
    let (sent, received) = if server { (seed, seed + 1) } else { (seed + 1, seed) };
    let (local, far) = if server { ("srv", "cli") } else { ("cli", "srv") };
    let name = if server { "mic" } else { "their-mic" };
    let opus = Codec {
        payload_type: 111,
        name: "opus".into(),
        clock_rate_hz: 48_000,
        channels: 2,
        parameters: "minptime=10;useinbandfec=1".into(),
        rtx_payload_type: None,
    };
    PeerSpec {
        peer: peer.into(),
        local_ice: ice(peer, local),
        remote_ice: ice(peer, far),
        remote_fingerprint: other.identity().fingerprint().clone(),
        dtls_active: server,
        slots: vec![Slot {
            mid: "0".into(),
            kind: TrackKind::Audio,
            codecs: vec![opus],
            publication: Some(format!("{peer}/{name}").as_str().into()),
            receive: vec![stream(received)],
            send: Some(stream(sent)),
        }],
        extensions: vec![],
        sctp: Some(SctpSpec { mid: "1".into(), port: 5_000, max_message_bytes: 262_144 }),
        ice_lite: server,
        remote_candidates: remote,
        estimate_bandwidth: false,
    }
}

impl Pair {
    pub fn on_sockets(bind: IpAddr, shards: usize) -> Self {
        Self { server: socket_core(bind, shards), told: Told::default(), clients: BTreeMap::new(), network: None }
    }

    pub fn virtually(seed: u64, shards: usize) -> Self {
        let network = VirtualNetwork::new(seed);
        let server = network.open("192.0.2.1".parse().unwrap(), 3_478, shards).unwrap();
        Self { server, told: Told::default(), clients: BTreeMap::new(), network: Some(network) }
    }

    fn new_client(&self) -> Core {
        let Some(network) = &self.network else { return socket_core("127.0.0.1".parse().unwrap(), 1) };
        let host = IpAddr::from([192, 0, 2, 2 + self.clients.len() as u8]);
        network.open(host, 40_000, 1).unwrap()
    }

    pub fn client(&self, peer: &str) -> &Core {
        &self.clients[peer].0
    }

    pub fn conditions(&self, conditions: Conditions) {
        self.network.as_ref().unwrap().set_conditions(conditions);
    }

    pub fn meddle(&self, meddler: Option<Meddler>) {
        self.network.as_ref().unwrap().set_meddler(meddler);
    }

    /// Let so much virtual time pass.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now() + time;
        while self.now() < until {
            self.network.as_ref().unwrap().advance(Duration::from_millis(10));
            self.read();
        }
    }

    fn read(&mut self) {
        self.told.server.extend(self.server.drain());
        self.told.client.extend(self.clients.values().flat_map(|(client, _)| client.drain()));
    }

    pub fn now(&self) -> Duration {
        self.network.as_ref().unwrap().now()
    }

    pub fn connect(&mut self, peer: &str, shard: usize, protocol: Protocol) {
        self.begin(peer, shard, protocol);
        self.until("both are connected", |told| {
            let connected = |events: &[Event]| {
                events.iter().any(|event| matches!(event, Event::PeerConnected(id) if id.as_ref() == peer))
            };
            connected(&told.server) && connected(&told.client)
        });
    }

    pub fn begin(&mut self, peer: &str, shard: usize, protocol: Protocol) {
        let core = self.new_client();
        let server = spec(peer, &core, true, vec![]);
        self.server.submit(shard, Command::AddPeer(Box::new(server))).unwrap();
        let candidates = self.server.identity().candidates().iter().copied();
        let remote: Vec<_> = candidates.filter(|candidate| candidate.protocol == protocol).collect();
        let client = spec(peer, &self.server, false, remote);
        core.submit(0, Command::AddPeer(Box::new(client))).unwrap();
        let their_ear = format!("{peer}/their-ear");
        let listen = Command::OpenListener(
            their_ear.as_str().into(),
            format!("{peer}/their-mic").as_str().into(),
            ListenerOptions { detect_speech: false, only_speech: false, pre_roll_ms: 0 },
        );
        core.submit(0, listen).unwrap();
        self.clients.insert(peer.into(), (core, shard));
    }

    /// Both ends get a voice that the other hears.
    pub fn open_speakers(&self, peer: &str) {
        let (client, shard) = &self.clients[peer];
        for (core, shard) in [(&self.server, *shard), (client, 0)] {
            let publication: PublicationId = format!("{peer}/ai").as_str().into();
            let subscribe = Command::Subscribe {
                peer: peer.into(),
                mid: "0".into(),
                publication: publication.clone(),
                wish: parley_media::layers::LayerWish::default(),
            };
            core.submit(shard, Command::OpenSpeaker(voice(peer), publication)).unwrap();
            core.submit(shard, subscribe).unwrap();
        }
    }

    pub fn speak_to_client(&self, peer: &str, pcm: Vec<i16>) {
        self.push_to_client(peer, &"a".into(), pcm);
    }

    /// Say a whole item.
    pub fn push_to_client(&self, peer: &str, item: &ItemId, pcm: Vec<i16>) {
        say(&self.server, peer, item, pcm);
    }

    pub fn speak_to_server(&self, peer: &str, pcm: Vec<i16>) {
        say(self.client(peer), peer, &"a".into(), pcm);
    }

    pub fn open_channel(&self, peer: &str, number: u16, label: &str) {
        let options = ChannelOptions {
            label: label.into(),
            ordered: true,
            max_retransmits: None,
            max_lifetime_ms: None,
            negotiated: true,
        };
        for core in [&self.server, self.client(peer)] {
            core.submit(0, Command::OpenChannel(peer.into(), number, options.clone())).unwrap();
        }
    }

    /// Let time pass until something is so.
    pub fn until(&mut self, what: &str, so: impl Fn(&Told) -> bool) {
        let (start, step) = (Instant::now(), Duration::from_millis(10));
        for _ in 0.. {
            match &self.network {
                Some(network) => network.advance(step),
                None => std::thread::sleep(step),
            }
            self.read();
            if so(&self.told) {
                return;
            }
            let passed = self.network.as_ref().map_or(start.elapsed(), VirtualNetwork::now);
            assert!(passed < PATIENCE * 2, "not in time: {what}");
        }
    }
}

fn voice(peer: &str) -> SpeakerId {
    format!("{peer}/voice").as_str().into()
}

fn say(core: &Core, peer: &str, item: &ItemId, pcm: Vec<i16>) {
    core.submit(0, Command::PushSpeech(voice(peer), item.clone(), pcm)).unwrap();
    core.submit(0, Command::EndSpeech(voice(peer), item.clone())).unwrap();
}

fn socket_core(bind: IpAddr, shards: usize) -> Core {
    let announced = vec!["127.0.0.1".parse().unwrap()];
    Core::open(&Options { bind, port: 0, announced, shards, clock: Duration::ZERO }).unwrap()
}
