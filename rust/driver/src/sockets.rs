//! The UDP socket: batches in and out. The only place with unsafe code, because batches are the kernel's own calls.
//!
//! Elsewhere than on Linux datagrams go one by one. A socket bound to `::` speaks IPv4 as well, in mapped addresses, which
//! are told and taken as plain IPv4 here.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsRawFd;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Longer datagrams are cut, and then dropped as damaged.
pub(crate) const MAX_DATAGRAM_BYTES: usize = 2_048;
/// Datagrams of one call.
pub(crate) const BATCH: usize = 64;
const BUFFER_BYTES: usize = 4 * 1024 * 1024;
const BACKLOG: i32 = 256;
/// How often to look for a number that is free for both.
const TRIES: usize = 32;

/// Bind UDP and TCP to one port; 0 is any that is free for both.
pub(crate) fn bind(addr: IpAddr, port: u16) -> io::Result<(UdpSocket, TcpListener)> {
    let mut last = None;
    for _ in 0..if port == 0 { TRIES } else { 1 } {
        let udp = bind_one(SocketAddr::new(addr, port), Type::DGRAM, Protocol::UDP)?;
        let _ = udp.set_recv_buffer_size(BUFFER_BYTES);
        let _ = udp.set_send_buffer_size(BUFFER_BYTES);
        let udp: UdpSocket = udp.into();
        match bind_one(SocketAddr::new(addr, udp.local_addr()?.port()), Type::STREAM, Protocol::TCP) {
            Ok(tcp) => {
                tcp.listen(BACKLOG)?;
                return Ok((udp, tcp.into()));
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

fn bind_one(addr: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), kind, Some(protocol))?;
    if addr.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    if kind == Type::STREAM {
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

/// An address as everyone else knows it.
pub(crate) fn plain(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

/// An address as this socket takes it.
pub(crate) fn mapped(addr: SocketAddr, over_v6: bool) -> SocketAddr {
    match addr.ip() {
        IpAddr::V4(v4) if over_v6 => SocketAddr::new(v4.to_ipv6_mapped().into(), addr.port()),
        _ => addr,
    }
}

/// Wait until a full socket takes more, or time is up.
#[allow(unsafe_code)]
pub(crate) fn wait_writable(socket: &UdpSocket, timeout_ms: i32) {
    let mut wanted = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: one descriptor that lives through the call.
    unsafe { libc::poll(&raw mut wanted, 1, timeout_ms) };
}

/// A datagram to send.
pub(crate) struct Outgoing<'a> {
    pub to: SockAddr,
    pub contents: &'a [u8],
}

#[cfg(target_os = "linux")]
pub(crate) use linux::{Incoming, send_batch};

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod linux {
    use socket2::SockAddrStorage;

    use super::{AsRawFd, BATCH, MAX_DATAGRAM_BYTES, Outgoing, SockAddr, SocketAddr, UdpSocket, io, plain};

    /// Memory for one batch.
    pub(crate) struct Incoming {
        buffers: Vec<[u8; MAX_DATAGRAM_BYTES]>,
        sources: Vec<SockAddrStorage>,
        lengths: [(usize, libc::socklen_t); BATCH],
        count: usize,
    }

    impl Incoming {
        pub fn new() -> Self {
            Self {
                buffers: vec![[0; MAX_DATAGRAM_BYTES]; BATCH],
                sources: (0..BATCH).map(|_| SockAddrStorage::zeroed()).collect(),
                lengths: [(0, 0); BATCH],
                count: 0,
            }
        }

        /// Take what is there, at most a batch; true if it was full.
        pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<bool> {
            self.count = 0;
            // SAFETY: all zeros is a valid message header, and every pointer set below outlives the call.
            let mut vectors: [libc::iovec; BATCH] = unsafe { std::mem::zeroed() };
            let mut headers: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
            for at in 0..BATCH {
                vectors[at].iov_base = self.buffers[at].as_mut_ptr().cast();
                vectors[at].iov_len = MAX_DATAGRAM_BYTES;
                let header = &mut headers[at].msg_hdr;
                header.msg_iov = &raw mut vectors[at];
                header.msg_iovlen = 1;
                header.msg_name = (&raw mut self.sources[at]).cast();
                header.msg_namelen = size_of::<SockAddrStorage>() as libc::socklen_t;
            }
            // SAFETY: the headers point to `BATCH` buffers and addresses of the stated lengths.
            let received = unsafe {
                libc::recvmmsg(
                    socket.as_raw_fd(),
                    headers.as_mut_ptr(),
                    BATCH as libc::c_uint,
                    libc::MSG_DONTWAIT,
                    std::ptr::null_mut(),
                )
            };
            if received < 0 {
                return Err(io::Error::last_os_error());
            }
            self.count = received as usize;
            for (length, header) in self.lengths.iter_mut().zip(&headers).take(self.count) {
                let whole = header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
                *length = (if whole { header.msg_len as usize } else { 0 }, header.msg_hdr.msg_namelen);
            }
            Ok(self.count == BATCH)
        }

        /// What came, from whom.
        pub fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
            (0..self.count).filter_map(|at| {
                let (bytes, name) = self.lengths[at];
                // SAFETY: the storage is plain bytes, into which the kernel wrote an address of that length.
                let source = unsafe { SockAddr::new(std::ptr::read(&raw const self.sources[at]), name) }.as_socket()?;
                (bytes > 0).then(|| (plain(source), &self.buffers[at][..bytes]))
            })
        }
    }

    /// Send a batch of at most `BATCH`; gives how many went, an error is about the first.
    pub(crate) fn send_batch(socket: &UdpSocket, batch: &[Outgoing<'_>]) -> io::Result<usize> {
        // SAFETY: all zeros is a valid message header, and every pointer set below outlives the call.
        let mut vectors: [libc::iovec; BATCH] = unsafe { std::mem::zeroed() };
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
        let count = batch.len().min(BATCH);
        for (at, datagram) in batch.iter().take(count).enumerate() {
            vectors[at].iov_base = datagram.contents.as_ptr().cast_mut().cast();
            vectors[at].iov_len = datagram.contents.len();
            let header = &mut headers[at].msg_hdr;
            header.msg_iov = &raw mut vectors[at];
            header.msg_iovlen = 1;
            header.msg_name = datagram.to.as_ptr().cast_mut().cast();
            header.msg_namelen = datagram.to.len();
        }
        // SAFETY: the headers point to `count` buffers and addresses, which the kernel only reads.
        let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count as libc::c_uint, 0) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(sent as usize) }
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) use portable::{Incoming, send_batch};

#[cfg(not(target_os = "linux"))]
mod portable {
    use super::{MAX_DATAGRAM_BYTES, Outgoing, SocketAddr, UdpSocket, io, plain};

    /// Memory for one datagram.
    pub(crate) struct Incoming {
        buffer: Box<[u8; MAX_DATAGRAM_BYTES]>,
        came: Option<(SocketAddr, usize)>,
    }

    impl Incoming {
        pub fn new() -> Self {
            Self { buffer: Box::new([0; MAX_DATAGRAM_BYTES]), came: None }
        }

        /// Take one datagram; always as if there were more.
        pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<bool> {
            self.came = None;
            let (bytes, source) = socket.recv_from(&mut self.buffer[..])?;
            self.came = Some((plain(source), bytes));
            Ok(true)
        }

        /// What came, from whom.
        pub fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
            self.came.iter().map(|(source, bytes)| (*source, &self.buffer[..*bytes]))
        }
    }

    /// Send the first; an error is about it.
    pub(crate) fn send_batch(socket: &UdpSocket, batch: &[Outgoing<'_>]) -> io::Result<usize> {
        let Some(first) = batch.first() else { return Ok(0) };
        socket.send_to(first.contents, first.to.as_socket().ok_or(io::ErrorKind::InvalidInput)?).map(|_| 1)
    }
}
