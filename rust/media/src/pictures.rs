//! One subscription's picture numbers in VP8 (RFC 7741 §4.2), unbroken over changes of layer and source.
//!
//! A decoder concludes from a gap that pictures were lost. So the first picture of a new stream follows the last one
//! sent; after that, a stream keeps its own gaps.

use str0m::rtp::{Vp8Descriptor, Vp8Patch};

use crate::rewrite::SourceKey;

const PICTURE_BITS: u16 = 0x7FFF;

#[derive(Debug, Clone, Copy, Default)]
struct Last {
    picture: Option<u16>,
    base: Option<u8>,
}

/// The numbers of one outgoing stream.
#[derive(Debug, Default)]
pub(crate) struct Pictures {
    source: Option<SourceKey>,
    picture_shift: u16,
    base_shift: u8,
    last: Last,
}

impl Pictures {
    /// What comes next is another stretch, also of the same source.
    pub fn begin_stretch(&mut self) {
        self.source = None;
    }

    /// Number a packet; none if it goes out as it is.
    pub fn renumber(&mut self, source: SourceKey, payload: &[u8]) -> Option<Vp8Patch> {
        let descriptor = Vp8Descriptor::parse(payload).ok()?;
        let (picture, base) = self.next(source, descriptor.picture_id(), descriptor.tl0_pic_idx());
        if self.picture_shift == 0 && self.base_shift == 0 {
            return None;
        }
        let mut patch = descriptor.patch();
        if let Some(picture) = picture {
            // A descriptor with 7 bits of picture number has room for no more.
            let narrow = patch.picture_id(picture).build().is_err();
            patch = patch.picture_id(if narrow { picture & 0x7F } else { picture });
        }
        if let Some(base) = base {
            patch = patch.tl0_pic_idx(base);
        }
        patch.build().ok()
    }

    fn next(&mut self, source: SourceKey, picture: Option<u16>, base: Option<u8>) -> (Option<u16>, Option<u8>) {
        if self.source != Some(source) {
            self.source = Some(source);
            if let (Some(last), Some(first)) = (self.last.picture, picture) {
                self.picture_shift = last.wrapping_add(1).wrapping_sub(first) & PICTURE_BITS;
            }
            if let (Some(last), Some(first)) = (self.last.base, base) {
                self.base_shift = last.wrapping_add(1).wrapping_sub(first);
            }
        }
        let picture = picture.map(|picture| picture.wrapping_add(self.picture_shift) & PICTURE_BITS);
        let base = base.map(|base| base.wrapping_add(self.base_shift));
        self.remember(picture, base);
        (picture, base)
    }

    fn remember(&mut self, picture: Option<u16>, base: Option<u8>) {
        if let Some(new) = picture
            && self.last.picture.is_none_or(|old| new.wrapping_sub(old) & PICTURE_BITS < 0x4000)
        {
            self.last.picture = Some(new);
        }
        if let Some(new) = base
            && self.last.base.is_none_or(|old| new.wrapping_sub(old) < 0x80)
        {
            self.last.base = Some(new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(ssrc: u32) -> SourceKey {
        SourceKey::peer(1, 0, ssrc)
    }

    #[test]
    fn a_stream_goes_out_as_it_is_until_it_changes() {
        let mut pictures = Pictures::default();
        for (ssrc, picture, base, expected) in [
            (1, 32_766, 254, (32_766, 254)),
            (1, 32_767, 255, (32_767, 255)),
            (2, 77, 9, (0, 0)),
            (2, 79, 10, (2, 1)),
            (2, 78, 10, (1, 1)),
            (1, 5, 5, (3, 2)),
        ] {
            let (picture, base) = pictures.next(source(ssrc), Some(picture), Some(base));
            assert_eq!((picture.unwrap(), base.unwrap()), expected);
        }
    }

    #[test]
    fn short_numbers_stay_short_and_missing_ones_missing() {
        let mut pictures = Pictures::default();
        assert!(pictures.renumber(source(1), &[0x90, 0xE0, 0x81, 0x2C, 7, 0x20, 0x01, 0xAA]).is_none());
        assert!(pictures.renumber(source(2), &[0x90, 0x80, 0x05, 0x01, 0xAA]).is_some(), "301 in 7 bits");
        assert_eq!(pictures.next(source(3), None, None), (None, None));
        assert!(pictures.renumber(source(4), &[]).is_none());
    }
}
