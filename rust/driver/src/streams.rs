//! ICE over TCP: connections that peers open to us, or that we open where we are the client; each frame carries one
//! datagram behind its length (RFC 4571).
//!
//! The receive thread reads; shards write. What the kernel does not take at once waits, up to a bound, beyond which
//! datagrams are lost as on any network. Connections are bounded in number, also from one address, and one that says
//! nothing for a known peer for a while is closed.

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

    /// Read and write what can be. Whole frames go to `take`, with their source and our address; it says whether they
    /// were somebody's.
    pub fn ready(&mut self, now: Instant, token: Token, mut take: impl FnMut(SocketAddr, SocketAddr, &[u8]) -> bool) {
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
    take: &mut impl FnMut(SocketAddr, SocketAddr, &[u8]) -> bool,
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
            if take(connection.peer, connection.local, frame) {
                connection.heard_at = now;
            }
            done += 2 + length;
        }
        connection.received.drain(..done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Table {
        streams: Streams,
        poll: mio::Poll,
        listener: std::net::TcpListener,
    }

    impl Table {
        fn new() -> Self {
            let poll = mio::Poll::new().unwrap();
            let knock = mio::Waker::new(poll.registry(), Token(0)).unwrap();
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            Self { streams: Streams::new(Arc::new(Senders::new(knock)), 1), poll, listener }
        }

        fn connect(&mut self, now: Instant) -> std::net::TcpStream {
            let client = std::net::TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
            let (stream, peer) = self.listener.accept().unwrap();
            stream.set_nonblocking(true).unwrap();
            self.streams.accept(now, self.poll.registry(), TcpStream::from_std(stream), peer);
            client
        }

        /// Look at all connections, at least once and until `count` frames have come.
        fn frames(&mut self, now: Instant, count: usize, known: bool) -> Vec<Vec<u8>> {
            let (mut frames, until) = (Vec::new(), Instant::now() + Duration::from_secs(5));
            loop {
                let tokens: Vec<Token> = self.streams.connections.keys().copied().collect();
                for token in tokens {
                    self.streams.ready(now, token, |_, _, frame| {
                        frames.push(frame.to_vec());
                        known
                    });
                }
                if frames.len() >= count || Instant::now() >= until {
                    return frames;
                }
            }
        }
    }

    #[test]
    fn frames_come_whole_however_they_are_cut() {
        let (mut table, now) = (Table::new(), Instant::now());
        let mut client = table.connect(now);
        let sent: Vec<Vec<u8>> = vec![b"one".to_vec(), vec![], vec![7; 1_400]];
        let bytes: Vec<u8> =
            sent.iter().flat_map(|frame| [&(frame.len() as u16).to_be_bytes()[..], frame].concat()).collect();
        let mut came = Vec::new();
        for piece in bytes.chunks(5) {
            client.write_all(piece).unwrap();
            came.extend(table.frames(now, 0, true));
        }
        came.extend(table.frames(now, sent.len() - came.len(), true));
        assert_eq!(came, sent);
        table.streams.senders.send(client.local_addr().unwrap(), b"answer");
        let mut answer = [0; 8];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"\x00\x06answer");
    }

    #[test]
    fn a_frame_that_no_datagram_can_be_ends_its_connection() {
        let (mut table, now) = (Table::new(), Instant::now());
        let mut client = table.connect(now);
        client.write_all(&[0xFF, 0xFF, 1, 2, 3]).unwrap();
        let until = Instant::now() + Duration::from_secs(5);
        while !table.streams.connections.is_empty() && Instant::now() < until {
            table.frames(now, 0, true);
        }
        assert!(table.streams.connections.is_empty() && table.streams.of_host.is_empty());
        assert!(lock(&table.streams.senders.links).is_empty());
        assert_eq!(client.read(&mut [0; 1]).unwrap(), 0, "closed");
    }

    #[test]
    fn who_says_nothing_for_a_known_peer_is_closed_and_one_host_cannot_take_all_places() {
        let (mut table, now) = (Table::new(), Instant::now());
        let mut clients: Vec<_> = (0..MAX_STREAMS_OF_ONE_HOST + 5).map(|_| table.connect(now)).collect();
        assert_eq!(table.streams.connections.len(), MAX_STREAMS_OF_ONE_HOST);
        let later = now + SILENT_FOR;
        clients[0].write_all(&[0, 1, 9]).unwrap();
        assert_eq!(table.frames(later, 1, false).len(), 1);
        clients[1].write_all(&[0, 1, 9]).unwrap();
        assert_eq!(table.frames(later, 1, true).len(), 1);
        table.streams.expire(later + Duration::from_secs(1));
        assert_eq!(table.streams.connections.len(), 1, "garbage does not count");
    }
}
