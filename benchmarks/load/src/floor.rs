//! The floor under forwarding: a loop of AES-128-GCM and `sendto`, of datagrams as long as forwarded ones, with nothing
//! around it. Prints the packets of one second of this thread's CPU, with and without encryption.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::figures::print;
use crate::options::Options;

const BURST: u32 = 64;
const HEADER_BYTES: usize = 12;
const PAYLOAD_BYTES: usize = 160;

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
    let mut busy = Duration::ZERO;
    for burst in 0..packets / BURST {
        let started = Instant::now();
        for n in burst * BURST..(burst + 1) * BURST {
            send(&from, addr, encrypted.then_some(&key), n);
        }
        busy += started.elapsed();
        // A full receiver would make sending cheaper than it is.
        while to.recv(&mut [0; 2_048]).is_ok() {}
    }
    f64::from(packets) / busy.as_secs_f64()
}

fn send(from: &UdpSocket, to: SocketAddr, key: Option<&LessSafeKey>, n: u32) {
    let mut datagram = vec![0_u8; HEADER_BYTES];
    let mut payload = vec![0_u8; PAYLOAD_BYTES];
    if let Some(key) = key {
        let mut nonce = [0; 12];
        nonce[8..].copy_from_slice(&n.to_be_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce, Aad::from(&datagram), &mut payload).expect("a packet");
    }
    datagram.extend_from_slice(&payload);
    from.send_to(&datagram, to).expect("a network");
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_nonblocking(true).expect("a socket");
    socket
}
