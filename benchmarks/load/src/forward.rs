//! Forwarding: the caller's plane has peers `load0000` … whose secrets follow from their names; the first one talks.
//!
//! Prints our fingerprint, waits for a line on standard input, connects, prints `connected`, waits again, and sends.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use parley_media::identity::Identity;
use parley_media::spec::{
    Candidate, Codec, Fingerprint, IceCredentials, PeerSpec, Protocol, SctpSpec, Slot, StreamIds, TrackKind,
};

use crate::client::{Client, Ears};
use crate::delays::delays;
use crate::figures::{percentile, print};
use crate::options::Options;
use crate::source::{Contents, Source};
use crate::swarm::Swarm;

/// Of so many peers one tells how late packets are.
const LISTENS_EVERY: usize = 10;
const PATIENCE: Duration = Duration::from_secs(60);

/// Do all of it.
pub fn run(options: &Options) {
    let (peers, seconds): (usize, f64) = (options.get("peers", 2), options.get("seconds", 10.0));
    let at_once: usize = options.get("at-once", peers);
    let server: SocketAddr = options.get("server", SocketAddr::from(([127, 0, 0, 1], 9)));
    let theirs = crate::sdp::digest(options.text("fingerprint"));
    let identity = Identity::generate(&[]).expect("random numbers");
    println!("{}", crate::sdp::hex(&identity.fingerprint().digest));
    wait_for_caller();
    let mut swarm = Swarm::new().expect("a poll");
    let (mut walls, mut begun) = (Vec::new(), Instant::now());
    let first = begun;
    for number in 0..peers {
        if number % at_once == 0 {
            begun = Instant::now();
        }
        let spec = spec(number, server, &theirs);
        let mut client =
            Client::new(&identity, "127.0.0.1:0".parse().expect("an address"), begun, spec).expect("a socket");
        client.ears = if number % LISTENS_EVERY == 1 { Ears::Keep } else { Ears::Count };
        swarm.add(client).expect("a place in the poll");
        if (number + 1) % at_once == 0 || number + 1 == peers {
            let all = |swarm: &mut Swarm| swarm.clients.iter().all(|client| client.connected_at.is_some());
            swarm.run(Instant::now() + PATIENCE, all).expect("a network");
        }
    }
    let connected = swarm.clients.iter().filter_map(|client| Some(client.connected_at? - client.begun_at));
    walls.extend(connected.map(|wall| wall.as_secs_f64() * 1_000.0));
    let all = swarm
        .clients
        .iter()
        .filter_map(|client| client.connected_at)
        .max()
        .map_or(0.0, |last| (last - first).as_secs_f64() * 1_000.0);
    println!("connected");
    wait_for_caller();
    if seconds > 0.0 {
        send(&mut swarm, Duration::from_secs_f64(seconds));
    }
    let received: u64 = swarm.clients.iter().skip(1).map(|client| client.received).sum();
    let mut delays = delays(&swarm);
    print(&[
        ("connected", walls.len() as f64),
        ("connect_p50_ms", percentile(&mut walls, 50)),
        ("connect_p99_ms", percentile(&mut walls, 99)),
        ("all_connected_ms", all),
        ("received", received as f64),
        ("delay_p50_ms", percentile(&mut delays, 50)),
        ("delay_p99_ms", percentile(&mut delays, 99)),
    ]);
}

fn wait_for_caller() {
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line);
}

fn send(swarm: &mut Swarm, time: Duration) {
    let start = Instant::now();
    swarm.clients[0].sources.push(Source::new(0, Contents::Sound { source: 0 }, start));
    swarm.touch(0);
    swarm.run(start + time, |_| false).expect("a network");
    swarm.clients[0].sources[0].go_on(None);
    swarm.run(Instant::now() + Duration::from_millis(300), |_| false).expect("a network");
}

fn spec(number: usize, server: SocketAddr, fingerprint: &[u8]) -> PeerSpec {
    let ice = |side: &str| IceCredentials {
        ufrag: format!("load{number:04}{side}"),
        password: format!("load{number:04}{side}-with-enough-letters"),
    };
    let stream = |ssrc: usize| StreamIds { ssrc: Some(ssrc as u32), ..StreamIds::default() };
    let opus = Codec {
        payload_type: 111,
        name: "opus".into(),
        clock_rate_hz: 48_000,
        channels: 2,
        parameters: "minptime=10;useinbandfec=1".into(),
        rtx_payload_type: None,
    };
    PeerSpec {
        peer: format!("load{number:04}").as_str().into(),
        local_ice: ice("c"),
        remote_ice: ice("s"),
        remote_fingerprint: Fingerprint { algorithm: "sha-256".into(), digest: fingerprint.to_vec() },
        dtls_active: false,
        slots: vec![Slot {
            mid: "0".into(),
            kind: TrackKind::Audio,
            codecs: vec![opus],
            publication: None,
            receive: vec![stream(20_000 + number)],
            send: Some(stream(10_000 + number)),
        }],
        extensions: vec![],
        sctp: Some(SctpSpec { mid: "1".into(), port: 5_000, max_message_bytes: 262_144 }),
        ice_lite: false,
        remote_candidates: vec![Candidate { addr: server, protocol: Protocol::Udp }],
        estimate_bandwidth: false,
    }
}
