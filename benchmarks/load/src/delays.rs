//! How long numbered packets were on their way, from one client of the swarm to another.

use std::collections::HashMap;
use std::time::Instant;

use crate::source::number_of;
use crate::swarm::Swarm;

/// Milliseconds from leaving a client to being read by another, of all packets that were kept.
pub fn delays(swarm: &Swarm) -> Vec<f64> {
    let sources = swarm.clients.iter().flat_map(|client| &client.sources);
    let left: HashMap<u32, &[Instant]> =
        sources.filter_map(|source| Some((source.number()?, &*source.left_at))).collect();
    let packets = swarm.clients.iter().flat_map(|client| &client.packets);
    let delay = |(at, packet): &(Instant, parley_media::peer::ReceivedPacket)| {
        let (source, number) = number_of(&packet.payload)?;
        let left = left.get(&source)?.get(number as usize)?;
        Some(at.saturating_duration_since(*left).as_secs_f64() * 1_000.0)
    };
    packets.filter_map(delay).collect()
}
