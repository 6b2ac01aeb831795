//! Audio core of Parley, sans-IO: no threads, sockets, clock or Python.
//!
//! Everything here turns samples or bytes into samples or bytes and keeps its state in plain values. The crate
//! `parley-python` puts a Python skin over it.
//!
//! * [`resample`]: sample-rate conversion
//! * [`vad`]: voice activity at 24 kHz
//! * [`g711`]: µ-law and A-law
//! * [`opus`]: Opus packets; [`ogg_opus`]: a stream of them as a file
//! * [`file`]: uploads of any usual format to 24 kHz mono
#![forbid(unsafe_code)]

pub mod decode;
pub mod delay;
pub mod file;
pub mod g711;
pub mod jitter;
pub mod listener;
pub mod ogg_opus;
pub mod opus;
pub mod playout;
pub mod resample;
pub mod speaker;
pub mod spec;
pub mod vad;
