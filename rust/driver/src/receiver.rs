//! The receive thread: everything that comes in on the media port, and to which shard it goes.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use parley_media::peer::{Datagram, Transmit};
use parley_media::spec::Protocol;

use crate::inbox::Batch;
use crate::read;
use crate::sockets::{BATCH, Incoming, Outgoing, mapped, send_batch};
use crate::streams::{Senders, Streams};
use crate::worker::{Shared, Wire};

const KNOCK: Token = Token(0);
const UDP: Token = Token(1);
const TCP: Token = Token(2);
const FIRST_STREAM: usize = 3;
/// How often old connections are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// How long unsent goodbyes over TCP may take.
const LINGER_FOR: Duration = Duration::from_millis(300);
/// How long a full send buffer is waited for, once in a batch.
const FULL_FOR_MS: i32 = 5;

/// What the receive thread and its owner share.
pub(crate) struct Gate {
    pub senders: Arc<Senders>,
    pub unrouted: AtomicU64,
    pub unsent: AtomicU64,
    ending: AtomicBool,
}

impl Gate {
    /// Ask the receive thread to end.
    pub fn close(&self) {
        self.ending.store(true, Ordering::Release);
        self.senders.knock();
    }
}

/// The receive thread's own.
pub(crate) struct Receiver {
    poll: Poll,
    udp: Arc<UdpSocket>,
    listener: mio::net::TcpListener,
    streams: Streams,
    shared: Arc<Shared>,
    gate: Arc<Gate>,
    batches: Vec<Batch>,
    here: SocketAddr,
}

impl Receiver {
    pub fn new(udp: Arc<UdpSocket>, listener: TcpListener, shared: Arc<Shared>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let senders = Arc::new(Senders::new(mio::Waker::new(poll.registry(), KNOCK)?));
        let mut source = mio::unix::SourceFd(&std::os::fd::AsRawFd::as_raw_fd(&*udp));
        poll.registry().register(&mut source, UDP, Interest::READABLE)?;
        let mut listener = mio::net::TcpListener::from_std(listener);
        poll.registry().register(&mut listener, TCP, Interest::READABLE)?;
        let gate = Gate {
            senders: senders.clone(),
            unrouted: AtomicU64::new(0),
            unsent: AtomicU64::new(0),
            ending: AtomicBool::new(false),
        };
        let here = udp.local_addr()?;
        let batches = shared.inboxes.iter().map(|_| Batch::default()).collect();
        let streams = Streams::new(senders, FIRST_STREAM);
        Ok(Self { poll, udp, listener, streams, shared, gate: Arc::new(gate), batches, here })
    }

    pub fn gate(&self) -> Arc<Gate> {
        self.gate.clone()
    }

    /// Serve until the gate is closed.
    pub fn run(mut self) {
        let mut events = Events::with_capacity(256);
        let mut incoming = Incoming::new();
        let mut sweep_at = Instant::now() + SWEEP_EVERY;
        while !self.gate.ending.load(Ordering::Acquire) {
            let left = sweep_at.saturating_duration_since(Instant::now());
            if self.poll.poll(&mut events, Some(left)).is_err_and(|error| error.kind() != io::ErrorKind::Interrupted) {
                break;
            }
            let now = Instant::now();
            self.streams.adopt(now, self.poll.registry());
            for event in &events {
                match event.token() {
                    KNOCK => {}
                    UDP => self.receive(&mut incoming),
                    TCP => self.accept(now),
                    token => self.read_stream(now, token),
                }
            }
            if now >= sweep_at {
                self.streams.expire(now);
                sweep_at = now + SWEEP_EVERY;
            }
        }
        self.streams.finish(Instant::now() + LINGER_FOR);
    }

    fn receive(&mut self, incoming: &mut Incoming) {
        loop {
            let more = match incoming.receive(&self.udp) {
                Ok(more) => more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
                // Nothing more, or out of memory for the moment: the next datagram wakes us.
                Err(_) => return,
            };
            for (source, contents) in incoming.datagrams() {
                let datagram = Datagram { protocol: Protocol::Udp, source, destination: self.here, contents };
                hand_over(&self.shared, &self.gate, &mut self.batches, datagram);
            }
            self.deliver();
            if !more {
                return;
            }
        }
    }

    fn accept(&mut self, now: Instant) {
        loop {
            match self.listener.accept() {
                Ok((stream, peer)) => self.streams.accept(now, self.poll.registry(), stream, peer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                // Out of descriptors: whoever waits is taken with the next connection.
                Err(_) => return,
            }
        }
    }

    fn read_stream(&mut self, now: Instant, token: Token) {
        let (shared, gate, batches) = (&self.shared, &self.gate, &mut self.batches);
        self.streams.ready(now, token, |source, destination, contents| {
            let datagram = Datagram { protocol: Protocol::Tcp, source, destination, contents };
            hand_over(shared, gate, batches, datagram)
        });
        self.deliver();
    }

    fn deliver(&mut self) {
        for (batch, inbox) in self.batches.iter_mut().zip(&self.shared.inboxes) {
            if !batch.is_empty() {
                inbox.datagrams(batch);
            }
        }
    }
}

/// Give a datagram to its shard's batch; false if it is nobody's.
fn hand_over(shared: &Shared, gate: &Gate, batches: &mut [Batch], datagram: Datagram<'_>) -> bool {
    let found = read(&shared.routes).find((datagram.protocol, datagram.source), datagram.contents);
    if let Some(batch) = found.and_then(|shard| batches.get_mut(shard)) {
        batch.push(datagram);
        return true;
    }
    gate.unrouted.fetch_add(1, Ordering::Relaxed);
    false
}

/// A shard's way out: the shared UDP socket, and the connections.
pub(crate) struct SocketWire {
    pub udp: Arc<UdpSocket>,
    pub gate: Arc<Gate>,
    pub over_v6: bool,
}

impl Wire for SocketWire {
    fn send(&mut self, transmits: &[Transmit]) {
        for chunk in transmits.chunks(BATCH) {
            let mut batch = Vec::with_capacity(chunk.len());
            for transmit in chunk {
                match transmit.protocol {
                    Protocol::Udp => batch.push(Outgoing {
                        to: mapped(transmit.destination, self.over_v6).into(),
                        contents: &transmit.contents,
                    }),
                    Protocol::Tcp => self.gate.senders.send(transmit.destination, &transmit.contents),
                }
            }
            self.send_udp(&batch);
        }
    }
}

impl SocketWire {
    fn send_udp(&self, mut batch: &[Outgoing<'_>]) {
        let mut waited = false;
        while !batch.is_empty() {
            match send_batch(&self.udp, batch) {
                Ok(sent) => batch = &batch[sent..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !waited => {
                    waited = true;
                    crate::sockets::wait_writable(&self.udp, FULL_FOR_MS);
                }
                // This one cannot be sent, the others may.
                Err(_) => {
                    self.gate.unsent.fetch_add(1, Ordering::Relaxed);
                    batch = &batch[1..];
                }
            }
        }
    }
}
