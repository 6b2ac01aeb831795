//! The floor under forwarding: a loop of AES-128-GCM and `sendto`, of datagrams as long as forwarded ones, with nothing
//! around it. Prints the packets of one second of this thread's CPU, with and without encryption.
#![allow(unsafe_code)] // the kernel's clock of a thread's CPU

use std::net::UdpSocket;
use std::time::Duration;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::figures::print;
use crate::options::Options;

const BURST: u32 = 64;
const HEADER_BYTES: usize = 12;
const PAYLOAD_BYTES: usize = 160;
const TAG_BYTES: usize = 16;

/// Send for so many packets.
pub fn run(options: &Options) {
    let packets: u32 = options.get("packets", 300_000);
    print(&[("encrypted", per_second(packets, true)), ("plain", per_second(packets, false))]);
}

/// Whole bursts, so that reading what came need not be counted.
fn per_second(packets: u32, encrypted: bool) -> f64 {
    let key = UnboundKey::new(&AES_128_GCM, &[7; 16]).map(LessSafeKey::new).expect("a key");
    let (from, to) = (socket(), socket());
    let addr = to.local_addr().expect("an address");
    let mut datagram = [0; HEADER_BYTES + PAYLOAD_BYTES + TAG_BYTES];
    let mut unread = [0; 2_048];
    let mut busy = Duration::ZERO;
    for burst in 0..packets / BURST {
        let started = thread_cpu();
        for n in burst * BURST..(burst + 1) * BURST {
            if encrypted {
                seal(&key, n, &mut datagram);
            }
            from.send_to(&datagram, addr).expect("a network");
        }
        busy += thread_cpu().saturating_sub(started);
        // A full receiver would make sending cheaper than it is.
        while to.recv(&mut unread).is_ok() {}
    }
    f64::from(packets / BURST * BURST) / busy.as_secs_f64()
}

fn seal(key: &LessSafeKey, n: u32, datagram: &mut [u8]) {
    let (header, rest) = datagram.split_at_mut(HEADER_BYTES);
    let (payload, tag) = rest.split_at_mut(PAYLOAD_BYTES);
    let mut nonce = [0; 12];
    nonce[8..].copy_from_slice(&n.to_be_bytes());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let made = key.seal_in_place_separate_tag(nonce, Aad::from(header), payload).expect("a packet");
    tag.copy_from_slice(made.as_ref());
}

/// What this thread has used of the CPU.
fn thread_cpu() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes to `now`, which outlives the call.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut now) };
    assert_eq!(failed, 0, "this system does not count a thread's CPU");
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_nonblocking(true).expect("a socket");
    socket
}
