//! Two cores talk: a server on sockets and threads, a client that is another core with full ICE; and the same in virtual
//! time.

mod pair;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use pair::{Pair, heard, message, opened, tone, voice_samples};
use parley_driver::virtual_network::Conditions;
use parley_media::listener::ListenerOptions;
use parley_media::peer::CloseReason;
use parley_media::plane::{Command, Event};
use parley_media::playout::PlayoutEvent;
use parley_media::spec::Protocol;

const EAR: ListenerOptions = ListenerOptions { detect_speech: true, only_speech: false, pre_roll_ms: 0 };

/// Both ends hear a second of sound and exchange a message.
fn converse(pair: &mut Pair, peer: &str) {
    pair.server
        .submit(
            0,
            Command::OpenListener(format!("{peer}/ear").as_str().into(), format!("{peer}/mic").as_str().into(), EAR),
        )
        .unwrap();
    pair.open_speakers(peer);
    pair.speak_to_client(peer, tone(24_000));
    pair.speak_to_server(peer, tone(24_000));
    pair.open_channel(peer, 1, "oai-events");
    pair.until("the channel is open", |told| opened(&told.server, peer) && opened(&told.client, peer));
    pair.server.submit(0, Command::SendMessage(peer.into(), 1, message("to the client"))).unwrap();
    pair.client(peer).submit(0, Command::SendMessage(peer.into(), 1, message("to the server"))).unwrap();
    let (ours, theirs) = (format!("{peer}/ear"), format!("{peer}/their-ear"));
    pair.until("both have heard and read", |told| {
        let read = |events: &[Event], text: &str| {
            events
                .iter()
                .any(|e| matches!(e, Event::MessageReceived(id, 1, m) if id.as_ref() == peer && *m == message(text)))
        };
        voice_samples(&heard(&told.server, &ours)) > 22_000
            && voice_samples(&heard(&told.client, &theirs)) > 22_000
            && read(&told.server, "to the server")
            && read(&told.client, "to the client")
            && told.server.iter().any(|e| matches!(e, Event::Speech(_, PlayoutEvent::Drained(_, 24_000))))
    });
}

#[test]
fn a_conversation_over_udp_on_two_shards() {
    let mut pair = Pair::on_sockets(IpAddr::V4(Ipv4Addr::LOCALHOST), 2);
    for (shard, peer) in [(0, "ann"), (1, "bob")] {
        pair.connect(peer, shard, Protocol::Udp);
        converse(&mut pair, peer);
    }
    pair.server.submit(0, Command::RemovePeer("ann".into())).unwrap();
    pair.until("the goodbye came", |told| {
        told.client.iter().any(|e| matches!(e, Event::PeerClosed(id, CloseReason::Remote) if id.as_ref() == "ann"))
    });
    pair.server.close();
    pair.until("the other goodbye came", |told| {
        told.client.iter().any(|e| matches!(e, Event::PeerClosed(id, CloseReason::Remote) if id.as_ref() == "bob"))
    });
    assert!(pair.told.server.iter().any(|e| matches!(e, Event::PeerClosed(_, CloseReason::Closed))));
    pair.server.close();
    assert!(pair.server.submit(0, Command::RemovePeer("bob".into())).is_err());
    assert_eq!(pair.server.counters().peers_broken, 0);
}

#[test]
fn a_conversation_over_tcp_only() {
    let mut pair = Pair::on_sockets(IpAddr::V4(Ipv4Addr::LOCALHOST), 2);
    pair.connect("ann", 1, Protocol::Tcp);
    converse(&mut pair, "ann");
    pair.server.close();
    pair.until("the goodbye came", |told| {
        told.client.iter().any(|e| matches!(e, Event::PeerClosed(_, CloseReason::Remote)))
    });
}

#[test]
fn a_socket_on_all_addresses_of_both_families_serves_ipv4() {
    let any: IpAddr = "::".parse().unwrap();
    if std::net::UdpSocket::bind((any, 0)).is_err() {
        return; // a machine without IPv6
    }
    let mut pair = Pair::on_sockets(any, 1);
    pair.connect("ann", 0, Protocol::Udp);
    converse(&mut pair, "ann");
}

#[test]
fn a_conversation_in_virtual_time_takes_about_as_long_each_time() {
    let run = || {
        let mut pair = Pair::virtually(7, 2);
        pair.conditions(Conditions {
            latency: Duration::from_millis(20),
            jitter: Duration::from_millis(30),
            loss: 0.05,
            duplication: 0.05,
        });
        pair.connect("ann", 1, Protocol::Udp);
        converse(&mut pair, "ann");
        pair.now()
    };
    let (first, second) = (run(), run());
    assert!(first < Duration::from_secs(6), "{first:?}");
    // Keys and certificates are drawn anew, so sizes and numbers of datagrams differ, and other ones are lost.
    assert!(first.abs_diff(second) < Duration::from_secs(2), "{first:?}, {second:?}");
}
