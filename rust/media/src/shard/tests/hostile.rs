//! Peers that know the keys and lie: what they protect is damaged before, so that every check of integrity lets it pass.
//!
//! The client's cryptography damages plaintext: SRTP and SRTCP contents, and SCTP packets with a corrected checksum. A
//! server whose cryptography panics on a sign shows that a panic inside one peer ends that peer; the same server
//! counts what it opens and seals.

use std::cell::Cell;

use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, ProtocolVersion,
};
use str0m::crypto::{
    AeadAes256GcmCipher, CryptoError, CryptoProvider, SrtpProvider, SupportedAeadAes128Gcm, SupportedAeadAes256Gcm,
    SupportedAes128CmSha1_80,
};

use super::*;

/// What makes a `TRAP` panic, as the beginning of an RTP payload.
const SIGN: &[u8] = b"now fall over";
/// What a `TRAP` counts, as the beginning of an RTP payload.
const COUNTED: &[u8] = b"count me";

/// Second bytes that make a packet RTCP (RFC 5761 §4).
const RTCP_TYPES: std::ops::RangeInclusive<u8> = 200..=207;

thread_local! {
    /// Of a hundred plaintexts, how many are damaged.
    static DAMAGED_PERCENT: Cell<u64> = const { Cell::new(0) };
    static RANDOM: Cell<u64> = const { Cell::new(1) };
    /// How many RTCP packets have been damaged.
    static DAMAGED_REPORTS: Cell<u64> = const { Cell::new(0) };
    static OPENED: Cell<usize> = const { Cell::new(0) };
    static SEALED: Cell<usize> = const { Cell::new(0) };
}

fn roll(below: usize) -> usize {
    let mut state = RANDOM.get();
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    RANDOM.set(state);
    (state % below.max(1) as u64) as usize
}

/// Damage in place: bits, bytes at their limits, a piece repeated elsewhere.
fn damage(contents: &mut [u8]) {
    if contents.is_empty() {
        return;
    }
    for _ in 0..=roll(4) {
        let at = roll(contents.len());
        match roll(4) {
            0 => contents[at] ^= 1 << roll(8),
            1 => contents[at] = [0, 1, 0x7F, 0x80, 0xFF][roll(5)],
            2 => contents[at] = roll(256) as u8,
            _ => {
                let (from, most) = (roll(contents.len()), contents.len() - at);
                let piece = contents[from..].iter().copied().take(most.min(1 + roll(16))).collect::<Vec<_>>();
                contents[at..at + piece.len()].copy_from_slice(&piece);
            }
        }
    }
}

fn is_damaged() -> bool {
    (roll(100) as u64) < DAMAGED_PERCENT.get()
}

fn honest() -> CryptoProvider {
    str0m::crypto::from_feature_flags()
}

#[derive(Debug)]
struct Lies;

#[derive(Debug)]
struct Trap;

#[derive(Debug)]
struct LyingCipher(Box<dyn AeadAes256GcmCipher>);

#[derive(Debug)]
struct TrapCipher(Box<dyn AeadAes256GcmCipher>);

impl AeadAes256GcmCipher for LyingCipher {
    fn encrypt(&mut self, iv: &[u8; 12], aad: &[u8], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        let mut input = input.to_vec();
        if is_damaged() {
            damage(&mut input);
            if RTCP_TYPES.contains(&aad[1]) {
                DAMAGED_REPORTS.set(DAMAGED_REPORTS.get() + 1);
            }
        }
        self.0.encrypt(iv, aad, &input, output)
    }

    fn decrypt(
        &mut self,
        iv: &[u8; 12],
        aads: &[&[u8]],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, CryptoError> {
        self.0.decrypt(iv, aads, input, output)
    }
}

impl AeadAes256GcmCipher for TrapCipher {
    fn encrypt(&mut self, iv: &[u8; 12], aad: &[u8], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        SEALED.set(SEALED.get() + usize::from(input.starts_with(COUNTED)));
        self.0.encrypt(iv, aad, input, output)
    }

    fn decrypt(
        &mut self,
        iv: &[u8; 12],
        aads: &[&[u8]],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, CryptoError> {
        let length = self.0.decrypt(iv, aads, input, output)?;
        OPENED.set(OPENED.get() + usize::from(output[..length].starts_with(COUNTED)));
        assert!(!output[..length].windows(SIGN.len()).any(|window| window == SIGN), "a sign that the test has sent");
        Ok(length)
    }
}

impl SupportedAeadAes256Gcm for Lies {
    fn create_cipher(&self, key: [u8; 32], encrypt: bool) -> Box<dyn AeadAes256GcmCipher> {
        Box::new(LyingCipher(honest().srtp_provider.aead_aes_256_gcm().create_cipher(key, encrypt)))
    }
}

impl SupportedAeadAes256Gcm for Trap {
    fn create_cipher(&self, key: [u8; 32], encrypt: bool) -> Box<dyn AeadAes256GcmCipher> {
        Box::new(TrapCipher(honest().srtp_provider.aead_aes_256_gcm().create_cipher(key, encrypt)))
    }
}

/// Everything but the profile that two ends of ours agree on is as it is.
macro_rules! with_own_gcm {
    ($name:ident) => {
        impl SrtpProvider for $name {
            fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
                honest().srtp_provider.aes_128_cm_sha1_80()
            }

            fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
                honest().srtp_provider.aead_aes_128_gcm()
            }

            fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
                &$name
            }

            fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
                honest().srtp_provider.srtp_aes_128_ecb_round(key, input, output);
            }

            fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
                honest().srtp_provider.srtp_aes_256_ecb_round(key, input, output);
            }
        }
    };
}

with_own_gcm!(Lies);
with_own_gcm!(Trap);

#[derive(Debug)]
struct LyingDtls(Box<dyn DtlsInstance>);

impl DtlsProvider for Lies {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        honest().dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        Ok(Box::new(LyingDtls(honest().dtls_provider.new_dtls(cert, now, version, mtu)?)))
    }
}

impl DtlsInstance for LyingDtls {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        self.0.poll_output(buf)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        if is_damaged() {
            let mut copy = data.to_vec();
            damage(&mut copy[4..]);
            copy.truncate(if roll(4) == 0 { 12 + roll(copy.len() - 11) } else { copy.len() });
            set_checksum(&mut copy);
            self.0.send_application_data(&copy)?;
        }
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}

/// RFC 9260 §6.8: CRC-32C over the packet with a checksum of 0.
fn set_checksum(packet: &mut [u8]) {
    packet[8..12].fill(0);
    let mut crc = u32::MAX;
    for byte in &*packet {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 };
        }
    }
    packet[8..12].copy_from_slice(&(!crc).to_le_bytes());
}

/// Let the client lie from its next plaintext on.
fn make_liar(world: &mut World, name: &str) {
    let now = world.now;
    let client = world.client_mut(name);
    let lies = CryptoProvider { dtls_provider: &Lies, srtp_provider: &Lies, ..honest() };
    let identity = client.identity.with_crypto(lies);
    client.peer = crate::peer::Peer::new(client.peer.spec().clone(), identity, now).unwrap();
}

/// How often the seeded tests repeat: more in a soak.
fn rounds(quick: u64) -> u64 {
    std::env::var("PARLEY_SOAK_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(quick)
}

#[test]
fn a_peer_that_lies_with_the_right_keys_breaks_nothing_and_disturbs_nobody() {
    DAMAGED_REPORTS.set(0);
    for seed in 1..=rounds(12) {
        RANDOM.set(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        DAMAGED_PERCENT.set(0);
        let mut world = World::new(seed);
        world.add("liar");
        make_liar(&mut world, "liar");
        world.add("bob");
        world.run(500);
        for name in ["liar", "bob"] {
            world.client_mut(name).peer.open_channel(0, options("x"));
        }
        for (ear, source) in [("ear", "bob/mic"), ("other", "liar/mic")] {
            world.command(Command::OpenListener(ear.into(), source.into(), OPEN));
        }
        speak_to(&mut world, "liar", 12 * 24_000);
        world.run(500);
        assert_eq!(world.told(|e| matches!(e, Event::ChannelOpened(..))), 2, "seed {seed}");
        DAMAGED_PERCENT.set(30);
        for (name, seconds) in [("liar", 10), ("bob", 2)] {
            world.client_mut(name).speak(opus_packets(&tone(seconds * 24_000)));
        }
        for n in 0..20 {
            world.client_mut("liar").peer.send_message(0, text(&"lies ".repeat(1 + n * 40)));
            world.command(Command::SendMessage("liar".into(), 1, text("answer")));
            world.run(100);
        }
        world.client_mut("bob").peer.send_message(0, text("truth"));
        world.run(10_000); // reports come every few seconds
        let (_, loud) = voice_level(&world.heard("ear"));
        assert!((47_000..51_000).contains(&loud), "seed {seed}: {loud}");
        let bob =
            |e: &Event| matches!(e, Event::MessageReceived(id, 1, m) if id.as_ref() == "bob" && *m == text("truth"));
        assert_eq!(world.told(bob), 1, "seed {seed}");
        assert_eq!(world.shard.counters().peers_broken, 0, "seed {seed}: something panicked");
        assert!(world.shard.has_peer(&"bob".into()));
    }
    DAMAGED_PERCENT.set(0);
    assert!(DAMAGED_REPORTS.get() > 0, "no report was damaged");
}

/// A world whose server traps and counts.
fn trapped(seed: u64) -> World {
    let mut world = World::new(seed);
    let trap = CryptoProvider { srtp_provider: &Trap, ..(*world.server.crypto).clone() };
    world.server = world.server.with_crypto(trap);
    world.shard = Shard::new(world.server.clone(), world.now);
    world
}

#[test]
fn a_packet_is_opened_once_for_all_shards_and_sealed_once_for_each_subscriber() {
    let mut world = trapped(6);
    world.add("ann");
    let subscribers = [(0, "bob"), (1, "carol"), (1, "dave")];
    for (shard, name) in subscribers {
        world.add_on(shard, name, |_| {});
    }
    world.run(1_000);
    for (shard, name) in subscribers {
        let (peer, mid, publication) = (name.into(), "0".into(), "ann/mic".into());
        world.command_on(shard, Command::Subscribe { peer, mid, publication, wish: LayerWish::default() });
    }
    world.run(100);
    world.client_mut("ann").speak(vec![COUNTED.to_vec(); 50]);
    world.run(1_500);
    for (_, name) in subscribers {
        assert_eq!(world.client(name).packets.len(), 50, "{name}");
    }
    assert_eq!((OPENED.get(), SEALED.get()), (50, 150));
    assert_eq!(world.told(|e| matches!(e, Event::AudioHeard(..))), 0);
}

#[test]
fn a_panic_inside_one_peer_ends_that_peer() {
    let mut world = trapped(4);
    for name in ["ann", "bob"] {
        world.add(name);
    }
    world.run(1_000);
    assert_eq!(world.told(|e| matches!(e, Event::PeerConnected(_))), 2);
    world.command(Command::OpenListener("ear".into(), "bob/mic".into(), OPEN));
    world.client_mut("bob").speak(opus_packets(&tone(48_000)));
    world.client_mut("ann").speak(vec![SIGN.to_vec()]);
    world.run(2_500);
    let broken = |e: &Event| matches!(e, Event::PeerClosed(id, CloseReason::Failed) if id.as_ref() == "ann");
    assert_eq!(world.told(broken), 1);
    assert_eq!(world.shard.counters().peers_broken, 1);
    assert_eq!(world.shard.peers(), 1);
    let (_, loud) = voice_level(&world.heard("ear"));
    assert!((47_000..51_000).contains(&loud), "{loud}");
    let again = Client::new(world.client("ann").peer.spec().clone(), "192.0.2.77:7".parse().unwrap(), world.now);
    let spec = server_spec("ann", &world.client("ann").identity);
    world.command(Command::AddPeer(Box::new(spec)));
    world.replace("ann", again);
    world.run(1_500);
    assert_eq!(world.told(|e| matches!(e, Event::PeerConnected(_))), 3, "the same peer may come again");
}
