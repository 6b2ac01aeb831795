//! Codecs that nothing here can decode are passed on as they come.

use str0m::rtp::{ExtensionValues, RtpWrite};

use super::camera::{extensions, slot};
use super::world::seed_of;
use super::*;
use crate::spec::{Codec, StreamIds};

const F: u32 = 7_000;

/// Publish these payloads in a codec, each a frame of its own, and give those that a viewer got.
fn passed_on(name: &str, parameters: &str, payloads: &[&[u8]]) -> Vec<Vec<u8>> {
    let codec = |payload_type| Codec {
        parameters: parameters.into(),
        rtx_payload_type: Some(payload_type + 1),
        ..Codec::plain(payload_type, name, 90_000, 1)
    };
    let (mut world, seen) = (World::new(29), seed_of("ann") + 5);
    world.add_with("pam", |spec| {
        spec.extensions = extensions();
        let mut slot = slot("2", Some("pam/camera"), &[], None);
        slot.codecs = vec![codec(49)];
        slot.receive = vec![StreamIds { ssrc: Some(F), rtx_ssrc: Some(F + 1), rid: None }];
        spec.slots.push(slot);
    });
    // The viewer has another number for it, and other codecs before it.
    world.add_with("ann", |spec| {
        spec.extensions = extensions();
        let mut slot = slot("2", None, &[], Some(seen));
        slot.codecs.push(codec(120));
        spec.slots.push(slot);
    });
    world.run(1_000);
    let (peer, mid, publication) = ("ann".into(), "2".into(), "pam/camera".into());
    world.command(Command::Subscribe { peer, mid, publication, wish: LayerWish::default() });
    for (n, payload) in payloads.iter().enumerate() {
        let now = world.now;
        let mut api = world.client_mut("pam").peer.library().direct_api();
        let (sequence, timestamp) = (65_530 + n as u64, 6_000 * n as u32);
        let values = ExtensionValues { mid: Some("2".into()), ..ExtensionValues::default() };
        let write = RtpWrite::new(49.into(), sequence.into(), timestamp, now, payload.to_vec());
        api.stream_tx(&F.into()).unwrap().write_rtp(write.ext_vals(values).marker(true).nackable(true));
        world.run(66);
    }
    world.run(500);
    let came = world.client("ann").packets.iter().filter(|(_, packet)| packet.ssrc == seen);
    let came: Vec<_> = came.filter(|(_, packet)| packet.payload_type == 120).collect();
    assert!(came.windows(2).all(|pair| pair[1].1.sequence == pair[0].1.sequence + 1));
    came.iter().map(|(_, packet)| packet.payload.to_vec()).collect()
}

#[test]
fn codecs_that_nobody_here_can_decode_pass_byte_for_byte() {
    let vps_sps_pps: &[u8] = &[0x60, 1, 0, 3, 0x40, 1, 0xC, 0, 3, 0x42, 1, 1, 0, 3, 0x44, 1, 0xC1];
    let h265: &[&[u8]] =
        &[vps_sps_pps, &[0x62, 1, 0x93, 7, 7], &[0x62, 1, 0x53, 8], &[2, 1, 0xD0, 0xFF, 0], &[2, 1, 9]];
    assert_eq!(passed_on("H265", "level-id=93;profile-id=1;tier-flag=0;tx-mode=SRST", h265), h265);
    let av1: &[&[u8]] = &[&[0x18, 0xA, 0xB, 1, 2, 3], &[0x10, 0x32, 9], &[0x50, 0x32, 1], &[0x90, 0]];
    assert_eq!(passed_on("AV1", "level-idx=5;profile=0;tier=0", av1), av1);
    let h264: &[&[u8]] =
        &[&[0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 0xCE], &[0x7C, 0x85, 1], &[0x7C, 0x45, 2], &[0x41, 0x9A]];
    assert_eq!(passed_on("H264", "packetization-mode=1;profile-level-id=42e01f", h264), h264);
    let vp9: &[&[u8]] = &[&[0x8C, 0x80, 1, 0x82, 0x49], &[0xCC, 0x80, 2, 0x86], &[0xCC, 0xFF, 0xFF, 0x86]];
    assert_eq!(passed_on("VP9", "profile-id=0", vp9), vp9);
}
