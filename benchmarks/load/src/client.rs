//! One client: a peer of the media core with full ICE, its own socket, and a voice.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use parley_media::channels::{ChannelOptions, Message};
use parley_media::identity::Identity;
use parley_media::peer::{Datagram, Peer, PeerEvent};
use parley_media::sender::OutgoingPacket;
use parley_media::spec::{Candidate, PeerSpec, Protocol};

pub const FRAME: Duration = Duration::from_millis(20);
pub const CHANNEL: u16 = 0;

/// What a client says: a loop of packets, of which the first so many of a hundred are sent.
#[derive(Clone)]
pub struct Voice {
    pub packets: Arc<[Vec<u8>]>,
    pub talking_percent: u64,
}

/// One client.
pub struct Client {
    pub socket: UdpSocket,
    pub peer: Peer,
    addr: SocketAddr,
    pub begun_at: Instant,
    pub connected_at: Option<Instant>,
    pub closed: bool,
    /// Decrypt what comes; the others count datagrams.
    pub listens: bool,
    pub received: u64,
    /// When media came, where that is kept.
    pub arrivals: Vec<Instant>,
    pub payloads: Vec<(Instant, Arc<[u8]>)>,
    pub messages: Vec<Message>,
    pub channel_open: bool,
    voice: Option<Voice>,
    frame_at: Option<Instant>,
    said: u64,
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
            listens: true,
            received: 0,
            arrivals: Vec::new(),
            payloads: Vec::new(),
            messages: Vec::new(),
            channel_open: false,
            voice: None,
            frame_at: None,
            said: 0,
        })
    }

    /// Talk from `start` on, for ever.
    pub fn talk(&mut self, voice: Voice, start: Instant) {
        self.voice = Some(voice);
        self.frame_at = Some(start);
    }

    /// Say nothing more.
    pub fn hush(&mut self) {
        self.frame_at = None;
    }

    /// Open the channel that a browser opens.
    pub fn open_channel(&mut self, label: &str) {
        let options = ChannelOptions { label: label.into(), ordered: true, max_retransmits: None, negotiated: false };
        self.peer.open_channel(CHANNEL, options);
    }

    /// Send a text.
    pub fn send(&mut self, text: &str) {
        self.peer.send_message(CHANNEL, Message { binary: false, data: text.into() });
    }

    /// When it has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.peer.deadline().into_iter().chain(self.frame_at).min()
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
                if !self.listens {
                    continue;
                }
            }
            self.peer.receive(now, Datagram { protocol: Protocol::Udp, source, destination: self.addr, contents });
            self.poll(now);
        }
    }

    /// Do what is due.
    pub fn advance(&mut self, now: Instant) {
        while let Some(at) = self.frame_at.filter(|at| *at <= now) {
            self.frame_at = Some(at + FRAME);
            self.say(now);
        }
        self.poll(now);
    }

    fn say(&mut self, now: Instant) {
        let Some(voice) = &self.voice else { return };
        let place = self.said % voice.packets.len() as u64;
        let payload = voice.packets[place as usize].as_slice().into();
        let mut packet = OutgoingPacket::unrouted(1_000 + self.said, (self.said * 960) as u32, false, payload);
        packet.ssrc = self.peer.spec().slots[0].send_ssrc().unwrap_or(1);
        packet.payload_type = 111;
        // Fifty seconds make a cycle of talking and silence of a hundred half seconds.
        let talks = (self.said / 25) % 100 * 37 % 100 < voice.talking_percent;
        self.said += 1;
        if talks {
            self.peer.send(now, packet);
        }
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
                PeerEvent::Packet(packet) => self.payloads.push((now, packet.payload)),
                PeerEvent::ChannelOpened(..) => self.channel_open = true,
                PeerEvent::Message(_, message) => self.messages.push(message),
                _ => {}
            }
        }
    }
}
