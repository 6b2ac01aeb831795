//! One client: a peer of the media core with full ICE, its own socket, and what it sends.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::UdpSocket;
use parley_media::channels::{ChannelOptions, Message};
use parley_media::identity::Identity;
use parley_media::peer::{Datagram, Peer, PeerEvent, ReceivedPacket};
use parley_media::spec::{Candidate, PeerSpec, Protocol};

use crate::source::Source;

pub const CHANNEL: u16 = 0;

/// What a client does with what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ears {
    /// Count the datagrams.
    Count,
    /// Decrypt as well.
    Decrypt,
    /// And keep.
    Keep,
}

/// One client.
pub struct Client {
    pub socket: UdpSocket,
    pub peer: Peer,
    pub addr: SocketAddr,
    pub begun_at: Instant,
    pub connected_at: Option<Instant>,
    pub closed: bool,
    pub ears: Ears,
    pub received: u64,
    /// When media came, where that is kept.
    pub arrivals: Vec<Instant>,
    pub packets: Vec<(Instant, ReceivedPacket)>,
    pub messages: Vec<Message>,
    pub channel_open: bool,
    pub sources: Vec<Source>,
}

impl Client {
    /// Bind a socket; the spec comes from whoever knows the server.
    pub fn new(identity: &Identity, local: SocketAddr, now: Instant, spec: PeerSpec) -> io::Result<Self> {
        Self::on(UdpSocket::bind(local)?, identity, now, spec)
    }

    /// On a socket whose address was told to the server before.
    pub fn on(socket: UdpSocket, identity: &Identity, now: Instant, spec: PeerSpec) -> io::Result<Self> {
        let addr = socket.local_addr()?;
        let identity = identity.with_candidates(&[Candidate { addr, protocol: Protocol::Udp }]);
        Ok(Self {
            socket,
            peer: Peer::new(spec, identity, now).map_err(io::Error::other)?,
            addr,
            begun_at: now,
            connected_at: None,
            closed: false,
            ears: Ears::Decrypt,
            received: 0,
            arrivals: Vec::new(),
            packets: Vec::new(),
            messages: Vec::new(),
            channel_open: false,
            sources: Vec::new(),
        })
    }

    /// Open the channel that a browser opens.
    pub fn open_channel(&mut self, label: &str) {
        let options = ChannelOptions {
            label: label.into(),
            ordered: true,
            max_retransmits: None,
            max_lifetime_ms: None,
            negotiated: false,
        };
        self.peer.open_channel(CHANNEL, options);
    }

    /// Send a text.
    pub fn send(&mut self, text: &str) {
        self.peer.send_message(CHANNEL, Message { binary: false, data: text.into() });
    }

    /// When it has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let sources = self.sources.iter().filter_map(Source::next_at);
        self.peer.deadline().into_iter().chain(sources).min()
    }

    /// Take what has come.
    pub fn read(&mut self, now: Instant) {
        let mut buffer = [0; 2_048];
        while let Ok((length, source)) = self.socket.recv_from(&mut buffer) {
            let contents = &buffer[..length];
            // 64..=95 are RTCP's types without their highest bit (RFC 5761).
            let media =
                contents.len() > 12 && (128..192).contains(&contents[0]) && !(64..96).contains(&(contents[1] & 127));
            if media {
                self.received += 1;
                self.arrivals.push(now);
                if self.ears == Ears::Count {
                    continue;
                }
            }
            self.peer.receive(now, Datagram { protocol: Protocol::Udp, source, destination: self.addr, contents });
            self.poll(now);
        }
    }

    /// Do what is due.
    pub fn advance(&mut self, now: Instant) {
        for source in &mut self.sources {
            let Some(slot) = self.peer.spec().slots.get(source.slot) else { continue };
            let payload_type = slot.codecs.first().map_or(111, |codec| codec.payload_type);
            let ssrc = slot.send_ssrc().unwrap_or(1);
            for mut packet in source.due(now) {
                (packet.ssrc, packet.payload_type) = (ssrc, payload_type);
                self.peer.send(now, packet);
            }
        }
        self.poll(now);
    }

    fn poll(&mut self, now: Instant) {
        let (mut events, mut transmits) = (Vec::new(), Vec::new());
        self.peer.poll(now, &mut events, &mut transmits);
        for transmit in transmits {
            // A full buffer loses datagrams, as a network does.
            let _ = self.socket.send_to(&transmit.contents, transmit.destination);
        }
        for event in events {
            match event {
                PeerEvent::Connected => self.connected_at = Some(now),
                PeerEvent::Closed(_) => self.closed = true,
                PeerEvent::Packet(packet) if self.ears == Ears::Keep => self.packets.push((now, packet)),
                PeerEvent::KeyframeWanted(slot) => {
                    self.sources.iter_mut().filter(|source| source.slot == slot).for_each(Source::want_key_picture);
                }
                PeerEvent::ChannelOpened(..) => self.channel_open = true,
                PeerEvent::Message(_, message) => self.messages.push(message),
                _ => {}
            }
        }
    }
}
