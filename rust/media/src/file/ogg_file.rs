//! Ogg/Opus (RFC 7845), by the ogg crate: the first Opus stream of the file, and those chained behind it.

use std::io::Cursor;

use ogg::{OggReadError, Packet, PacketReader};

use super::opus_track::{OpusTrack, packet_granules};
use super::sink::Sink;
use super::{DecodeError, Outcome};

const FORMAT: &str = "ogg";

/// One logical stream while it plays.
struct Playing {
    serial: u32,
    track: OpusTrack,
    tags_seen: bool,
    /// Packets of the page that is being read; its granule position is about the last of them.
    page: Vec<Packet>,
    /// Granule position of what was decoded so far, once the first page told where it starts.
    position: Option<u64>,
}

pub(super) fn read(bytes: &[u8], sink: &mut Sink) -> Outcome {
    let mut reader = PacketReader::new(Cursor::new(bytes));
    let mut playing: Option<Playing> = None;
    let mut heard = false;
    let mut stranger = None;
    while let Some(packet) = next(&mut reader)? {
        if packet.data.starts_with(b"OpusHead") && packet.first_in_stream() && playing.is_none() {
            let track = OpusTrack::open(FORMAT, &packet.data)?;
            playing = Some(Playing {
                serial: packet.stream_serial(),
                track,
                tags_seen: false,
                page: Vec::new(),
                position: None,
            });
            heard = true;
            continue;
        }
        let Some(current) = playing.as_mut().filter(|current| current.serial == packet.stream_serial()) else {
            stranger = stranger.or_else(|| codec_name(&packet.data));
            continue;
        };
        if !current.tags_seen {
            current.tags_seen = true;
            continue;
        }
        let (ends_page, ends_stream) = (packet.last_in_page(), packet.last_in_stream());
        current.page.push(packet);
        if ends_page {
            current.play_page(ends_stream, sink)?;
        }
        if ends_stream {
            playing = None;
        }
    }
    if heard {
        return Ok(());
    }
    Err(DecodeError::unsupported(format!("Ogg with {} instead of Opus", stranger.unwrap_or("something unknown"))))
}

/// The next packet. A file that stops in the middle of a page plays up to there.
fn next(reader: &mut PacketReader<Cursor<&[u8]>>) -> Result<Option<Packet>, DecodeError> {
    match reader.read_packet() {
        Ok(packet) => Ok(packet),
        Err(OggReadError::ReadError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(DecodeError::corrupt(FORMAT, error)),
    }
}

fn codec_name(first_packet: &[u8]) -> Option<&'static str> {
    let names: [(&[u8], &str); 4] =
        [(b"\x01vorbis", "Vorbis"), (b"\x7FFLAC", "FLAC"), (b"Speex", "Speex"), (b"\x80theora", "Theora")];
    names.into_iter().find_map(|(beginning, name)| first_packet.starts_with(beginning).then_some(name))
}

impl Playing {
    /// Decode a page's packets. On the last page the granule position may cut the end short.
    fn play_page(&mut self, last: bool, sink: &mut Sink) -> Outcome {
        let packets = std::mem::take(&mut self.page);
        let Some(granule) = packets.last().map(Packet::absgp_page) else {
            return Ok(());
        };
        let length: u64 = packets.iter().map(|packet| packet_granules(&packet.data)).sum();
        // A first page that is the last as well starts at zero, and its position cuts it.
        let unknown_start = if last { 0 } else { granule.saturating_sub(length) };
        let begin = *self.position.get_or_insert(unknown_start);
        let mut surplus = if last { (begin + length).saturating_sub(granule) } else { 0 };
        // Cut from the back: whole packets first.
        let mut cuts = vec![0; packets.len()];
        for (cut, packet) in cuts.iter_mut().zip(&packets).rev() {
            *cut = surplus.min(packet_granules(&packet.data));
            surplus -= *cut;
        }
        for (packet, cut) in packets.iter().zip(cuts) {
            self.track.push(&packet.data, cut, sink)?;
        }
        self.position = Some(begin + length);
        Ok(())
    }
}
