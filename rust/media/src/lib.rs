//! Media core of Parley, sans-IO: no threads, sockets, clock or Python.
//!
//! Everything here turns samples, datagrams and commands into others and keeps its state in plain values; `now` is an
//! argument. The crate `parley-driver` gives it threads and sockets, `parley-python` puts a Python skin over it.
//!
//! Packets:
//! * [`shard`]: the machine that one thread runs; [`plane`] is what it is asked and tells
//! * [`peer`]: ICE, DTLS, SRTP and [`channels`] of one peer, as its [`spec`] says, under our [`identity`]
//! * [`demux`] finds the peer of a datagram, [`router`] the subscribers of a packet, [`sender`] sends it
//! * what a subscriber gets: [`layers`] chooses, [`keyframe`] tells when to change, [`rewrite`] keeps the numbers going
//! * [`levels`] tells who speaks, [`statistics`] what passed; over a [`border`] packets reach other shards
//! * an AI's ear: [`jitter`] with [`delay`] and [`decode`], then [`listener`]; its mouth: [`playout`], then [`speaker`]; its [`eye`]
//!
//! Sound:
//! * [`resample`]: sample-rate conversion
//! * [`denoise`]: noise reduction at 24 kHz
//! * [`vad`]: voice activity at 24 kHz
//! * [`g711`]: µ-law and A-law
//! * [`opus`]: Opus packets; [`ogg_opus`]: a stream of them as a file
//! * [`file`]: uploads of any usual format to 24 kHz mono
#![forbid(unsafe_code)]

pub mod border;
mod build;
pub mod channels;
pub mod decode;
pub mod delay;
pub mod demux;
pub mod denoise;
pub mod eye;
pub mod file;
pub mod g711;
pub mod identity;
pub mod jitter;
pub mod keyframe;
pub mod layers;
mod learn;
pub mod levels;
pub mod listener;
pub mod ogg_opus;
pub mod opus;
mod path;
pub mod peer;
mod pictures;
pub mod plane;
pub mod playout;
pub mod rate;
pub mod resample;
pub mod rewrite;
pub mod router;
pub mod sender;
pub mod shard;
pub mod speaker;
pub mod spec;
pub mod statistics;
mod subscription;
pub mod vad;
