use super::*;

const ROUND_TRIP_RATES: [u32; 8] = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];

fn wav(tag: u16, channels: u16, rate: u32, bits: u16, sound: &[u8]) -> Vec<u8> {
    let frame = channels * bits / 8;
    let mut bytes = b"RIFF\xFF\xFF\xFF\xFFWAVEfmt \x10\0\0\0".to_vec();
    bytes.extend(tag.to_le_bytes());
    bytes.extend(channels.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * u32::from(frame)).to_le_bytes());
    bytes.extend(frame.to_le_bytes());
    bytes.extend(bits.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend((sound.len() as u32).to_le_bytes());
    bytes.extend(sound);
    bytes
}

fn pcm(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|s| s.to_le_bytes()).collect()
}

fn tone(rate: u32, samples: usize) -> Vec<i16> {
    (0..samples)
        .map(|n| ((n as f64 * 440.0 / f64::from(rate) * std::f64::consts::TAU).sin() * 10_000.0).round() as i16)
        .collect()
}

fn reason(bytes: &[u8]) -> String {
    decode(bytes, 10).unwrap_err().to_string()
}

#[test]
fn wav_of_our_own_format_is_untouched() {
    let sound = [0, 1, -1, i16::MAX, i16::MIN];
    assert_eq!(decode(&wav(1, 1, 24_000, 16, &pcm(&sound)), 10).unwrap(), sound);
}

#[test]
fn every_wav_coding_gives_the_same_sound() {
    let values = [0.0_f64, 0.25, -0.25, 0.75, -1.0];
    let expected: Vec<i16> = values.iter().map(|v| (v * 32_768.0) as i16).collect();
    let bytes = |each: &dyn Fn(f64) -> Vec<u8>| -> Vec<u8> { values.iter().flat_map(|v| each(*v)).collect() };
    let rows = [
        wav(1, 1, 24_000, 8, &bytes(&|v| vec![(v * 128.0 + 128.0) as u8])),
        wav(1, 1, 24_000, 16, &bytes(&|v| ((v * 32_768.0) as i16).to_le_bytes().to_vec())),
        wav(1, 1, 24_000, 24, &bytes(&|v| ((v * 8_388_608.0) as i32).to_le_bytes()[..3].to_vec())),
        wav(1, 1, 24_000, 32, &bytes(&|v| ((v * 2_147_483_648.0) as i32).to_le_bytes().to_vec())),
        wav(3, 1, 24_000, 32, &bytes(&|v| (v as f32).to_le_bytes().to_vec())),
        wav(3, 1, 24_000, 64, &bytes(&|v| v.to_le_bytes().to_vec())),
    ];
    for row in rows {
        assert_eq!(decode(&row, 10).unwrap(), expected);
    }
    assert_eq!(decode(&wav(7, 1, 24_000, 8, &[0xFF, 0x00]), 10).unwrap(), [0, -32_124]);
    assert_eq!(decode(&wav(6, 1, 24_000, 8, &[0xD5, 0x2A]), 10).unwrap(), [8, -32_256]);
}

#[test]
fn channels_are_mixed() {
    let stereo = pcm(&[1_000, 3_000, -500, 500]);
    assert_eq!(decode(&wav(1, 2, 24_000, 16, &stereo), 10).unwrap(), [2_000, 0]);
}

#[test]
fn every_rate_arrives_at_24_khz() {
    for rate in ROUND_TRIP_RATES {
        let sound = decode(&wav(1, 1, rate, 16, &pcm(&tone(rate, rate as usize / 2))), 10).unwrap();
        let ideal = tone(RATE_HZ, 12_000);
        assert!(sound.len().abs_diff(ideal.len()) <= 2, "{rate}: {}", sound.len());
        let worst = sound.iter().zip(&ideal).skip(200).take(11_600).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst <= 2, "{rate}: off by {worst}");
    }
}

#[test]
fn extensible_wav_and_unknown_chunks_are_read() {
    let plain = wav(0xFFFE, 1, 24_000, 16, &pcm(&[5, 6]));
    let mut bytes = plain[..16].to_vec();
    bytes.extend(40_u32.to_le_bytes());
    bytes.extend(&plain[20..36]);
    bytes.extend([22, 0, 16, 0, 4, 0, 0, 0, 1, 0]);
    bytes.extend([0; 14]);
    bytes.extend(b"LIST\x03\0\0\0abc\0");
    bytes.extend(&plain[36..]);
    assert_eq!(decode(&bytes, 10).unwrap(), [5, 6]);
}

#[test]
fn a_streamed_wav_reads_to_its_end_and_half_a_frame_is_dropped() {
    let mut bytes = wav(1, 1, 24_000, 16, &pcm(&[7, 8]));
    bytes[40..44].copy_from_slice(&[0xFF; 4]);
    bytes.push(9);
    assert_eq!(decode(&bytes, 10).unwrap(), [7, 8]);
}

#[test]
fn odd_floats_are_silence_or_clipped() {
    let sound: Vec<u8> = [f32::NAN, f32::INFINITY, 9.0, -9.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(decode(&wav(3, 1, 24_000, 32, &sound), 10).unwrap(), [0, 0, i16::MAX, i16::MIN]);
}

#[test]
fn too_much_sound_is_refused() {
    let sound = vec![0; 2 * 24_000 * 2];
    assert!(decode(&wav(1, 1, 24_000, 16, &sound), 2).is_ok());
    assert_eq!(decode(&wav(1, 1, 24_000, 16, &sound), 1).unwrap_err(), DecodeError::TooLong(1));
    assert_eq!(
        decode(&wav(1, 1, 48_000, 16, &sound), 0).unwrap_err().to_string(),
        "the audio is longer than 0 seconds; split it"
    );
}

#[test]
fn strangers_are_named_with_what_would_do() {
    let rows: [(&[u8], &str); 9] = [
        (b"", "an empty file"),
        (b"hello there, this is text", "this kind of file"),
        (b"\0\0\0\x20ftypM4A ", "MP4 or M4A (AAC)"),
        (b"FORM\0\0\0\0AIFF", "AIFF"),
        (b"RIFF\0\0\0\0AVI LIST", "AVI"),
        (b"#!AMR\n", "AMR"),
        (b"caff\0\x01", "CAF"),
        (&[0xFF, 0xF1, 0x50, 0x80], "AAC"),
        (b"RF64\xFF\xFF\xFF\xFFWAVE", "WAV beyond 4 GiB (RF64)"),
    ];
    for (bytes, name) in rows {
        let text = format!("{name} is not supported; send wav, flac, mp3, ogg (opus) or webm (opus)");
        assert_eq!(reason(bytes), text);
    }
    assert!(reason(&wav(2, 1, 24_000, 4, &[])).starts_with("WAV of kind 2 with 4 bits is not supported"));
    assert!(reason(&wav(1, 1, 100, 16, &[])).starts_with("a sample rate of 100 Hz"));
}

#[test]
fn damaged_files_say_what_is_wrong() {
    let whole = wav(1, 1, 24_000, 16, &[0; 8]);
    let rows: [(&[u8], &str); 6] = [
        (&whole[..12], "the wav file is damaged (there is no sound in it)"),
        (&whole[..30], "the wav file is damaged (its description is cut short)"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "the wav file is damaged (its sound comes before its description)"),
        (b"fLaC\0\0\0\x22", "the flac file is damaged (it is cut short)"),
        (b"ID3\x04\0\0\0\0\0\0 and then nothing", "the mp3 file is damaged (there is no sound in it)"),
        (b"\x1A\x45\xDF\xA3\x80", "the webm file is damaged (there is no track in it)"),
    ];
    for (bytes, text) in rows {
        assert!(reason(bytes).starts_with(text), "{}", reason(bytes));
    }
    assert!(reason(&wav(1, 0, 24_000, 16, &[])).contains("claims 0 channels"));
}

mod matroska {
    use super::super::*;
    use crate::opus::{Encoder, FRAME_SAMPLES};

    const HEAD: &[u8] = b"OpusHead\x01\x01\x00\x00\xC0\x5D\x00\x00\x00\x00\x00";

    fn element(id: &[u8], body: &[u8]) -> Vec<u8> {
        let mut bytes = id.to_vec();
        bytes.extend((body.len() as u64 | 1 << 56).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn unsized_element(id: &[u8], body: &[u8]) -> Vec<u8> {
        [id, &[0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], body].concat()
    }

    fn frames(count: usize) -> Vec<Vec<u8>> {
        let mut encoder = Encoder::new(32_000, crate::opus::Effort::Live).unwrap();
        let sound = super::tone(24_000, count * FRAME_SAMPLES);
        sound.chunks(FRAME_SAMPLES).map(|frame| encoder.encode(frame).unwrap()).collect()
    }

    fn start(codec: &[u8]) -> Vec<u8> {
        let other = element(&[0xAE], &[element(&[0xD7], &[1]), element(&[0x86], b"V_VP8")].concat());
        let ours = [element(&[0xD7], &[2]), element(&[0x86], codec), element(&[0x63, 0xA2], HEAD)].concat();
        let tracks = element(&[0x16, 0x54, 0xAE, 0x6B], &[other, element(&[0xAE], &ours)].concat());
        [element(&[0xEC], &[0; 5]), tracks].concat()
    }

    fn block(track: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        [&[0x80 | track, 0, 0, flags], payload].concat()
    }

    fn file(segment: &[u8], finished: bool) -> Vec<u8> {
        let wrap = if finished { element } else { unsized_element };
        [element(&[0x1A, 0x45, 0xDF, 0xA3], b""), wrap(&[0x18, 0x53, 0x80, 0x67], segment)].concat()
    }

    fn recording(finished: bool) -> Vec<u8> {
        let wrap = if finished { element } else { unsized_element };
        let mut segment = start(b"A_OPUS");
        for pair in frames(6).chunks(2) {
            let mut cluster = element(&[0xE7], &[0]);
            cluster.extend(element(&[0xA3], &block(1, 0, b"picture")));
            cluster.extend(pair.iter().flat_map(|packet| element(&[0xA3], &block(2, 0x80, packet))));
            segment.extend(wrap(&[0x1F, 0x43, 0xB6, 0x75], &cluster));
        }
        file(&segment, finished)
    }

    #[test]
    fn finished_and_unfinished_recordings_sound_alike() {
        let finished = decode(&recording(true), 10).unwrap();
        assert_eq!(finished.len(), 6 * FRAME_SAMPLES);
        assert_eq!(decode(&recording(false), 10).unwrap(), finished);
    }

    #[test]
    fn a_recording_that_broke_off_plays_up_to_there() {
        let whole = recording(false);
        assert_eq!(decode(&whole[..whole.len() - 3], 10).unwrap().len(), 5 * FRAME_SAMPLES);
    }

    #[test]
    fn every_lacing_gives_the_same_packets() {
        let three: Vec<Vec<u8>> = vec![vec![0x08, 1], vec![0x08; 300], vec![0x08, 2, 3]];
        let joined = three.concat();
        let xiph = [&[2, 2, 255, 45][..], &joined].concat();
        // Sizes 2, then +298 in two bytes: 0x4000 | (298 + 8191).
        let ebml = [&[2, 0x82, 0x61, 0x29][..], &joined].concat();
        for (lacing, payload) in [(1, xiph), (3, ebml)] {
            assert_eq!(super::super::webm::unlace(lacing, &payload).unwrap(), three, "lacing {lacing}");
        }
        let fixed = [&[2][..], &[1, 1, 2, 2, 3, 3]].concat();
        assert_eq!(super::super::webm::unlace(2, &fixed).unwrap(), [[1, 1], [2, 2], [3, 3]]);
        assert!(super::super::webm::unlace(1, &[9, 255, 255]).is_none());
        assert!(super::super::webm::unlace(3, &[2, 0x85, 0x80, 0]).is_none());
    }

    #[test]
    fn discard_padding_cuts_the_end() {
        let packets = frames(2);
        let mut segment = start(b"A_OPUS");
        segment.extend(element(&[0xA3], &block(2, 0, &packets[0])));
        let padding = element(&[0x75, 0xA2], &12_500_000_u32.to_be_bytes());
        let group = [element(&[0xA1], &block(2, 0, &packets[1])), padding].concat();
        segment.extend(element(&[0xA0], &group));
        assert_eq!(decode(&file(&segment, true), 10).unwrap().len(), 2 * FRAME_SAMPLES - 300);
    }

    #[test]
    fn another_codec_is_named() {
        let text = decode(&file(&start(b"A_VORBIS"), true), 10).unwrap_err().to_string();
        assert!(text.starts_with("WebM with V_VP8 and A_VORBIS instead of Opus is not supported"), "{text}");
    }

    #[test]
    fn sizes_beyond_the_file_allocate_nothing() {
        let mut bytes = file(&start(b"A_OPUS"), true);
        bytes.extend([0xA3, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xF0]);
        assert_eq!(decode(&bytes, 10).unwrap().len(), 0);
    }
}
