//! What surrounds the media core: sockets, threads, queues and the clock. Nothing here knows codecs, ICE or Python.
//!
//! One thread receives for all: UDP in batches, and TCP with the framing of RFC 4571, on one port. It hands datagrams to
//! the shard that knows their source, else to the one that the ufrag of an ICE check names. Each shard is a thread with
//! its own machine and sends by itself. Commands come in through a bounded queue for each shard, events go out through
//! one ring with one descriptor that becomes readable when some wait.
//!
//! * [`core`]: the handle; [`dispatch`] knows which shard a command is for
//! * [`worker`]: one shard's turns; [`inbox`] and [`ring`] are its ends
//! * [`receiver`], [`streams`], [`sockets`]: the network
//! * [`virtual_network`]: the same cores in virtual time over a pretend wire, for tests
#![deny(unsafe_code)]

pub mod core;
pub mod dispatch;
pub mod inbox;
mod receiver;
pub mod ring;
mod sockets;
mod streams;
pub mod virtual_network;
mod worker;

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Lock, whatever happened to another holder: all state behind our locks is plain and whole between statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
