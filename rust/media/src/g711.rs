//! G.711: 16-bit samples to and from 8-bit µ-law and A-law, at 8 kHz by custom.
//!
//! Source: ITU-T G.711 tables 1a, 1b, 2a, 2b; input of 16 bits is read as the software tool library G.191 reads it:
//! µ-law uses the upper 14 bits, A-law the upper 13, and negative values are taken in one's complement.

/// One of the two laws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// µ-law, North America and Japan; `PCMU` in RTP, `audio/pcmu` in the Realtime protocol.
    Mu,
    /// A-law, everywhere else; `PCMA` in RTP, `audio/pcma` in the Realtime protocol.
    A,
}

const MU_BIAS: i32 = 33;

static MU_DECODED: [i16; 256] = decoded(Law::Mu);
static A_DECODED: [i16; 256] = decoded(Law::A);

impl Law {
    /// Encode 16-bit samples, one byte each.
    pub fn encode(self, pcm: &[i16]) -> Vec<u8> {
        match self {
            Self::Mu => pcm.iter().copied().map(encode_mu).collect(),
            Self::A => pcm.iter().copied().map(encode_a).collect(),
        }
    }

    /// Decode bytes to 16-bit samples, one each.
    pub fn decode(self, codes: &[u8]) -> Vec<i16> {
        let decoded = match self {
            Self::Mu => &MU_DECODED,
            Self::A => &A_DECODED,
        };
        codes.iter().map(|&code| decoded[usize::from(code)]).collect()
    }
}

const fn decoded(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < table.len() {
        table[code] = match law {
            Law::Mu => decode_mu(code as i32),
            Law::A => decode_a(code as i32),
        };
        code += 1;
    }
    table
}

const fn decode_mu(code: i32) -> i16 {
    let bits = !code & 0xFF;
    let segment = (bits >> 4) & 7;
    let level = (((bits & 0x0F) * 2 + MU_BIAS) << segment) - MU_BIAS;
    (if bits & 0x80 == 0 { level * 4 } else { level * -4 }) as i16
}

const fn decode_a(code: i32) -> i16 {
    let bits = code ^ 0x55;
    let segment = (bits >> 4) & 7;
    let level = ((bits & 0x0F) << 4) + 8;
    let level = if segment == 0 { level } else { (level + 256) << (segment - 1) };
    (if bits & 0x80 == 0 { -level } else { level }) as i16
}

fn magnitude(sample: i16, dropped_bits: u32) -> i32 {
    let sample = i32::from(sample);
    (if sample < 0 { !sample } else { sample }) >> dropped_bits
}

fn encode_mu(sample: i16) -> u8 {
    let level = (magnitude(sample, 2) + MU_BIAS).min(0x1FFF);
    let segment = 26 - level.leading_zeros();
    let code = (segment << 4) as u8 | ((level >> (segment + 1)) & 0x0F) as u8;
    let sign = if sample < 0 { 0 } else { 0x80 };
    sign | (!code & 0x7F)
}

fn encode_a(sample: i16) -> u8 {
    let level = magnitude(sample, 4);
    let segment = 32_u32.saturating_sub((level >> 4).leading_zeros());
    let step = if segment > 1 { level >> (segment - 1) } else { level };
    let code = ((segment << 4) as u8) | (step & 0x0F) as u8;
    let sign = if sample < 0 { 0 } else { 0x80 };
    (sign | code) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Positive decision and output values of ITU-T G.711 table 2a at the segment ends: (14-bit level, code, output).
    const MU_ENDS: [(i32, u8, i32); 9] = [
        (0, 0xFF, 0),
        (30, 0xF0, 30),
        (93, 0xE0, 93),
        (219, 0xD0, 219),
        (471, 0xC0, 471),
        (975, 0xB0, 975),
        (1_983, 0xA0, 1_983),
        (3_999, 0x90, 3_999),
        (8_031, 0x80, 8_031),
    ];
    /// The same of table 1a: (13-bit level, code before the even bits are inverted, output).
    const A_ENDS: [(i32, u8, i32); 8] = [
        (1, 0x80, 1),
        (31, 0x8F, 31),
        (33, 0x90, 33),
        (66, 0xA0, 66),
        (132, 0xB0, 132),
        (264, 0xC0, 264),
        (2_112, 0xF0, 2_112),
        (4_032, 0xFF, 4_032),
    ];

    #[test]
    fn the_recommendations_tables_hold() {
        for (level, code, output) in MU_ENDS {
            assert_eq!(Law::Mu.encode(&[(level * 4) as i16]), [code], "level {level}");
            assert_eq!(Law::Mu.decode(&[code]), [(output * 4) as i16], "code {code:#x}");
            assert_eq!(Law::Mu.decode(&[code & 0x7F]), [(output * -4) as i16], "code {code:#x}");
        }
        for (level, code, output) in A_ENDS {
            assert_eq!(Law::A.encode(&[(level * 8) as i16]), [code ^ 0x55], "level {level}");
            assert_eq!(Law::A.decode(&[code ^ 0x55]), [(output * 8) as i16], "code {code:#x}");
            assert_eq!(Law::A.decode(&[code ^ 0xD5]), [(output * -8) as i16], "code {code:#x}");
        }
    }

    #[test]
    fn every_code_survives_decoding_and_encoding() {
        for law in [Law::Mu, Law::A] {
            for code in 0..=255_u8 {
                // µ-law has two zeros; the negative one is encoded as the positive.
                let expected = if law == Law::Mu && code == 0x7F { 0xFF } else { code };
                assert_eq!(law.encode(&law.decode(&[code])), [expected], "{law:?} {code:#x}");
            }
        }
    }

    #[test]
    fn every_sample_lies_in_its_codes_interval() {
        for law in [Law::Mu, Law::A] {
            // The bits below the law's resolution, and the loudest level it has.
            let (unseen, loudest) = if law == Law::Mu { (4, 8_159 * 4) } else { (16, i32::MAX) };
            for sample in i16::MIN..=i16::MAX {
                let code = law.encode(&[sample])[0];
                let half_step = match law {
                    Law::Mu => 4 << ((!code >> 4) & 7),
                    Law::A => 8 << ((((code ^ 0x55) >> 4) & 7).max(1) - 1),
                };
                let output = i32::from(law.decode(&[code])[0]);
                let error = (output - i32::from(sample).clamp(-loudest, loudest)).abs();
                assert!(error <= half_step + unseen, "{law:?}: {sample} -> {code:#x} -> {output}");
            }
        }
    }

    #[test]
    fn louder_never_decodes_quieter() {
        for law in [Law::Mu, Law::A] {
            let ramp: Vec<i16> = (i16::MIN..=i16::MAX).collect();
            let back = law.decode(&law.encode(&ramp));
            assert!(back.windows(2).all(|pair| pair[0] <= pair[1]), "{law:?}");
        }
    }
}
