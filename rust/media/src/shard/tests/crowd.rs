//! Many peers that all come in the same instant, over a wire that loses every fiftieth datagram.

use std::cell::Cell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::world::{client_spec, identity, server_spec};
use super::*;
use crate::peer::Peer;
use crate::spec::{Candidate, Protocol};

const CROWD: usize = 1_000;
const SERVER: &str = "192.0.2.1:3478";
const STEP: Duration = Duration::from_millis(5);
const LOST_OF: usize = 50;

struct Guest {
    peer: Peer,
    addr: SocketAddr,
    connected: bool,
}

impl Guest {
    fn poll(&mut self, now: Instant) -> Vec<Transmit> {
        let (mut events, mut transmits) = (Vec::new(), Vec::new());
        self.peer.poll(now, &mut events, &mut transmits);
        self.connected |= events.iter().any(|event| matches!(event, PeerEvent::Connected));
        transmits
    }
}

#[test]
fn a_thousand_handshakes_at_once_all_succeed() {
    let (mut now, server) = (Instant::now(), identity(SERVER));
    let mut shard = Shard::new(server.clone(), now);
    let certificate = identity("192.0.2.2:1");
    let mut guests = Vec::new();
    for n in 0..CROWD {
        let (name, addr) = (format!("{n:04}"), SocketAddr::from(([198, 51, 100, 7], 10_000 + n as u16)));
        let ours = certificate.with_candidates(&[Candidate { addr, protocol: Protocol::Udp }]);
        shard.command(now, Command::AddPeer(Box::new(server_spec(&name, &ours))));
        let spec = client_spec(&name, SERVER.parse().unwrap(), &server);
        guests.push(Guest { peer: Peer::new(spec, ours, now).unwrap(), addr, connected: false });
    }
    let places: HashMap<SocketAddr, usize> = guests.iter().enumerate().map(|(n, guest)| (guest.addr, n)).collect();
    let (mut connected, sent, until) = (0, Cell::new(0), now + Duration::from_secs(8));
    let passes = || {
        sent.set(sent.get() + 1);
        sent.get() % LOST_OF != 0
    };
    while now < until && (connected < CROWD || guests.iter().any(|guest| !guest.connected)) {
        now += STEP;
        for guest in &mut guests {
            if guest.peer.deadline().is_some_and(|at| at <= now) {
                for transmit in guest.poll(now).into_iter().filter(|_| passes()) {
                    let (source, destination, contents) = (guest.addr, transmit.destination, &transmit.contents[..]);
                    shard.receive(now, Datagram { protocol: Protocol::Udp, source, destination, contents });
                }
            }
        }
        shard.advance(now);
        for transmit in shard.take_transmits().into_iter().filter(|_| passes()) {
            let guest = &mut guests[places[&transmit.destination]];
            let (source, destination, contents) = (transmit.source, guest.addr, &transmit.contents[..]);
            guest.peer.receive(now, Datagram { protocol: Protocol::Udp, source, destination, contents });
            for answer in guest.poll(now).into_iter().filter(|_| passes()) {
                let (source, destination, contents) = (guest.addr, answer.destination, &answer.contents[..]);
                shard.receive(now, Datagram { protocol: Protocol::Udp, source, destination, contents });
            }
        }
        let told = shard.take_events();
        assert!(!told.iter().any(|event| matches!(event, Event::PeerClosed(..))), "{told:?}");
        connected += told.iter().filter(|event| matches!(event, Event::PeerConnected(_))).count();
    }
    assert_eq!((connected, guests.iter().filter(|guest| guest.connected).count()), (CROWD, CROWD));
    assert_eq!(shard.counters().peers_broken, 0);
}
