//! Where a picture begins that needs none before it, told from the first bytes of a packet.
//!
//! A receiver's decoder may be given another stream only here. The RTP payload formats say where to look: VP8 RFC 7741
//! §4.2 and §4.3, VP9 RFC 9628 §4.2, H.264 RFC 6184 §5, H.265 RFC 7798 §4.4, AV1 the Alliance's payload format §4.4.

use str0m::rtp::Vp8Descriptor;

use crate::spec::VideoCodec;

/// Whether this packet is the first of a key frame. `first_of_frame` says that its time stamp is new.
pub fn starts_keyframe(codec: VideoCodec, payload: &[u8], first_of_frame: bool) -> bool {
    match codec {
        VideoCodec::Vp8 => Vp8Descriptor::parse(payload).is_ok_and(|descriptor| descriptor.starts_keyframe(payload)),
        VideoCodec::Vp9 => vp9(payload),
        VideoCodec::H264 => h264(payload, first_of_frame),
        VideoCodec::H265 => h265(payload, first_of_frame),
        VideoCodec::Av1 => payload.first().is_some_and(|aggregation| aggregation & 0x88 == 0x08),
    }
}

/// Not predicted, begins a frame, lowest spatial layer.
fn vp9(payload: &[u8]) -> bool {
    let Some(flags) = payload.first() else { return false };
    let (has_picture, predicted, layered, begins) =
        (flags & 0x80 != 0, flags & 0x40 != 0, flags & 0x20 != 0, flags & 0x08 != 0);
    if predicted || !begins {
        return false;
    }
    let long = payload.get(1).is_some_and(|picture| picture & 0x80 != 0);
    let layer_at = 1 + usize::from(has_picture) * (1 + usize::from(long));
    !layered || payload.get(layer_at).is_some_and(|layer| layer & 0x0E == 0)
}

/// Sequence parameters, or the picture itself where they travel otherwise.
fn h264(payload: &[u8], first_of_frame: bool) -> bool {
    const STAP_A: u8 = 24;
    const FU_A: u8 = 28;
    let begins = |kind: u8| kind == 7 || (kind == 5 && first_of_frame);
    match payload.first().map(|header| header & 0x1F) {
        Some(STAP_A) => units(&payload[1..], 1).any(|header| begins(header & 0x1F)),
        Some(FU_A) => payload.get(1).is_some_and(|fragment| fragment & 0x80 != 0 && begins(fragment & 0x1F)),
        Some(kind) => begins(kind),
        None => false,
    }
}

/// Video or sequence parameters, or the picture itself where they travel otherwise.
fn h265(payload: &[u8], first_of_frame: bool) -> bool {
    const AP: u8 = 48;
    const FU: u8 = 49;
    let begins = |kind: u8| matches!(kind, 32 | 33) || (matches!(kind, 16..=21) && first_of_frame);
    match payload.first().map(|header| header >> 1 & 0x3F) {
        Some(AP) => payload.get(2..).is_some_and(|rest| units(rest, 2).any(|header| begins(header >> 1 & 0x3F))),
        Some(FU) => payload.get(2).is_some_and(|fragment| fragment & 0x80 != 0 && begins(fragment & 0x3F)),
        Some(kind) => begins(kind),
        None => false,
    }
}

/// First header bytes of the units in an aggregate, each after its length.
fn units(mut rest: &[u8], header_bytes: usize) -> impl Iterator<Item = u8> + '_ {
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let unit = after.get(..usize::from(u16::from_be_bytes(*length)))?;
        rest = &after[unit.len()..];
        unit.get(..header_bytes).map(|header| header[0])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begins(codec: VideoCodec, payload: &[u8]) -> bool {
        starts_keyframe(codec, payload, true)
    }

    #[test]
    fn vp8_by_the_inverse_key_frame_flag_of_the_first_partition() {
        for (payload, expected) in [
            (&[0x10, 0x00][..], true),
            (&[0x10, 0x01], false),
            (&[0x00, 0x00], false),
            (&[0x11, 0x00], false),
            (&[0x90, 0x80, 0x81, 0x05, 0x00], true),
            (&[0x90, 0xE0, 0x81, 0x05, 9, 0x20, 0x01], false),
            (&[0x90, 0x80], false),
            (&[], false),
        ] {
            assert_eq!(begins(VideoCodec::Vp8, payload), expected, "{payload:?}");
        }
    }

    #[test]
    fn vp9_by_prediction_beginning_and_lowest_layer() {
        for (payload, expected) in [
            (&[0x88, 5, 0][..], true),
            (&[0x08, 0], true),
            (&[0xC8, 5, 0], false),
            (&[0x80, 5, 0], false),
            (&[0xA8, 5, 0x00, 0], true),
            (&[0xA8, 0x81, 5, 0x01, 0], true),
            (&[0xA8, 0x81, 5, 0x03, 0], false),
            (&[0xA8, 0x81, 5], false),
            (&[], false),
        ] {
            assert_eq!(begins(VideoCodec::Vp9, payload), expected, "{payload:?}");
        }
    }

    #[test]
    fn h264_by_sequence_parameters_or_a_picture_without_them() {
        let aggregate = [24, 0, 2, 0x67, 1, 0, 2, 0x68, 1, 0, 3, 0x65, 1, 1];
        let late = [24, 0, 2, 0x68, 1, 0, 2, 0x67, 1];
        for (payload, expected) in [
            (&[0x67, 1][..], true),
            (&[0x65, 1], true),
            (&[0x41, 1], false),
            (&[0x68, 1], false),
            (&[28, 0x85, 1], true),
            (&[28, 0x05, 1], false),
            (&[28, 0x81, 1], false),
            (&aggregate, true),
            (&late, true),
            (&[24, 0, 9, 0x67], false),
            (&[], false),
        ] {
            assert_eq!(begins(VideoCodec::H264, payload), expected, "{payload:?}");
        }
        assert!(!starts_keyframe(VideoCodec::H264, &[0x65, 1], false), "its parameters came before");
    }

    #[test]
    fn h265_by_parameter_sets_or_a_picture_without_them() {
        for (payload, expected) in [
            (&[32 << 1, 1][..], true),
            (&[19 << 1, 1], true),
            (&[1 << 1, 1], false),
            (&[48 << 1, 1, 0, 2, 33 << 1, 1], true),
            (&[48 << 1, 1, 0, 2, 1 << 1, 1], false),
            (&[49 << 1, 1, 0x80 | 0x13, 0], true),
            (&[49 << 1, 1, 19, 0], false),
            (&[48 << 1], false),
            (&[], false),
        ] {
            assert_eq!(begins(VideoCodec::H265, payload), expected, "{payload:?}");
        }
    }

    #[test]
    fn av1_by_the_bit_of_a_new_coded_sequence() {
        assert!(begins(VideoCodec::Av1, &[0x18, 1]));
        assert!(!begins(VideoCodec::Av1, &[0x10, 1]));
        assert!(!begins(VideoCodec::Av1, &[0x88, 1]), "goes on from the packet before");
        assert!(!begins(VideoCodec::Av1, &[]));
    }
}
