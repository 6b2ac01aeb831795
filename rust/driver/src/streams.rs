//! ICE over TCP: connections that peers open to us, or that we open where we are the client; each frame carries one
//! datagram behind its length (RFC 4571).
//!
//! The receive thread reads; shards write. What the kernel does not take at once waits, up to a bound, beyond which
//! datagrams are lost as on any network. Connections are bounded in number, also from one address, and one that says
//! nothing valid for a while is closed.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::lock;
use crate::sockets::{MAX_DATAGRAM_BYTES, plain};

const MAX_STREAMS: usize = 4_096;
const MAX_STREAMS_OF_ONE_HOST: usize = 256;
const MAX_UNSENT_BYTES: usize = 1024 * 1024;
/// Peers check their pairs every few seconds.
const SILENT_FOR: Duration = Duration::from_secs(40);

/// One connection, as both sides use it.
#[derive(Debug)]
struct Link {
    stream: TcpStream,
    unsent: Mutex<Vec<u8>>,
}

impl Link {
    fn send(&self, contents: &[u8]) {
        let mut unsent = lock(&self.unsent);
        if contents.len() > usize::from(u16::MAX) || unsent.len() + contents.len() > MAX_UNSENT_BYTES {
            return;
        }
        unsent.extend_from_slice(&(contents.len() as u16).to_be_bytes());
        unsent.extend_from_slice(contents);
        let _ = self.flush_into(&mut unsent);
    }

    fn flush(&self) -> io::Result<()> {
        self.flush_into(&mut lock(&self.unsent))
    }

    fn flush_into(&self, unsent: &mut Vec<u8>) -> io::Result<()> {
        while !unsent.is_empty() {
            match (&self.stream).write(unsent) {
                Ok(written) => drop(unsent.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Connecting still, or full: the descriptor says when to go on.
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What shards may do: send to whoever is connected, or connect.
#[derive(Debug)]
pub(crate) struct Senders {
    links: Mutex<HashMap<SocketAddr, Arc<Link>>>,
    /// Connections that shards began; the receive thread takes them over.
    begun: Mutex<Vec<(SocketAddr, Arc<Link>)>>,
    knock: mio::Waker,
}

impl Senders {
    pub fn new(knock: mio::Waker) -> Self {
        Self { links: Mutex::default(), begun: Mutex::default(), knock }
    }

    /// Send one datagram; a connection is opened where there is none.
    pub fn send(&self, to: SocketAddr, contents: &[u8]) {
        let mut links = lock(&self.links);
        if let Some(link) = links.get(&to) {
            return link.send(contents);
        }
        if links.len() >= MAX_STREAMS {
            return;
        }
        let Ok(stream) = TcpStream::connect(to) else { return };
        let link = Arc::new(Link { stream, unsent: Mutex::default() });
        links.insert(to, link.clone());
        link.send(contents);
        lock(&self.begun).push((to, link));
        let _ = self.knock.wake();
    }

    /// Wake the receive thread.
    pub fn knock(&self) {
        let _ = self.knock.wake();
    }
}

struct Connection {
    peer: SocketAddr,
    local: SocketAddr,
    link: Arc<Link>,
    received: Vec<u8>,
    heard_at: Instant,
}

/// All connections, as the receive thread sees them.
pub(crate) struct Streams {
    senders: Arc<Senders>,
    connections: HashMap<Token, Connection>,
    of_host: HashMap<IpAddr, usize>,
    next: usize,
}

impl Streams {
    /// Tokens from `first` on are used.
    pub fn new(senders: Arc<Senders>, first: usize) -> Self {
        Self { senders, connections: HashMap::new(), of_host: HashMap::new(), next: first }
    }

    /// Take a connection that was opened to us; one too many is closed at once.
    pub fn accept(&mut self, now: Instant, registry: &Registry, stream: TcpStream, peer: SocketAddr) {
        let peer = plain(peer);
        let host = self.of_host.get(&peer.ip()).copied().unwrap_or(0);
        if self.connections.len() >= MAX_STREAMS || host >= MAX_STREAMS_OF_ONE_HOST {
            return;
        }
        let link = Arc::new(Link { stream, unsent: Mutex::default() });
        lock(&self.senders.links).insert(peer, link.clone());
        self.register(now, registry, peer, link);
    }

    /// Take over what shards began.
    pub fn adopt(&mut self, now: Instant, registry: &Registry) {
        let begun = std::mem::take(&mut *lock(&self.senders.begun));
        for (peer, link) in begun {
            self.register(now, registry, peer, link);
        }
    }

    fn register(&mut self, now: Instant, registry: &Registry, peer: SocketAddr, link: Arc<Link>) {
        let _ = link.stream.set_nodelay(true);
        let token = Token(self.next);
        self.next += 1;
        let mut source = mio::unix::SourceFd(&std::os::fd::AsRawFd::as_raw_fd(&link.stream));
        if registry.register(&mut source, token, Interest::READABLE | Interest::WRITABLE).is_err() {
            lock(&self.senders.links).remove(&peer);
            return;
        }
        let local = link.stream.local_addr().map_or(peer, plain);
        *self.of_host.entry(peer.ip()).or_default() += 1;
        self.connections.insert(token, Connection { peer, local, link, received: Vec::new(), heard_at: now });
    }

    /// Read and write what can be. Whole frames go to `take`, with their source and our address.
    pub fn ready(&mut self, now: Instant, token: Token, mut take: impl FnMut(SocketAddr, SocketAddr, &[u8])) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        if connection.link.flush().is_err() || !read_frames(now, connection, &mut take) {
            self.close(token);
        }
    }

    /// Close what has said nothing for long.
    pub fn expire(&mut self, now: Instant) {
        let silent = |connection: &Connection| now.saturating_duration_since(connection.heard_at) > SILENT_FOR;
        let old: Vec<Token> =
            self.connections.iter().filter(|(_, connection)| silent(connection)).map(|(token, _)| *token).collect();
        for token in old {
            self.close(token);
        }
    }

    /// Write what is left, as far as it goes, until `until`.
    pub fn finish(&mut self, until: Instant) {
        let unsent = |connections: &HashMap<Token, Connection>| {
            connections
                .values()
                .any(|connection| connection.link.flush().is_ok() && !lock(&connection.link.unsent).is_empty())
        };
        while unsent(&self.connections) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        lock(&self.senders.links).clear();
        self.connections.clear();
    }

    fn close(&mut self, token: Token) {
        let Some(connection) = self.connections.remove(&token) else { return };
        let mut links = lock(&self.senders.links);
        if links.get(&connection.peer).is_some_and(|link| Arc::ptr_eq(link, &connection.link)) {
            links.remove(&connection.peer);
        }
        if let Some(count) = self.of_host.get_mut(&connection.peer.ip()) {
            *count -= 1;
            if *count == 0 {
                self.of_host.remove(&connection.peer.ip());
            }
        }
    }
}

/// False if the connection is over.
fn read_frames(
    now: Instant,
    connection: &mut Connection,
    take: &mut impl FnMut(SocketAddr, SocketAddr, &[u8]),
) -> bool {
    let mut buffer = [0; 16 * 1024];
    loop {
        match (&connection.link.stream).read(&mut buffer) {
            Ok(0) => return false,
            Ok(count) => connection.received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected) => {
                return true;
            }
            Err(_) => return false,
        }
        let mut done = 0;
        while let Some((length, rest)) = connection.received[done..].split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            if length > MAX_DATAGRAM_BYTES {
                return false;
            }
            let Some(frame) = rest.get(..length) else { break };
            take(connection.peer, connection.local, frame);
            connection.heard_at = now;
            done += 2 + length;
        }
        connection.received.drain(..done);
    }
}
