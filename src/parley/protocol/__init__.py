"""Sans-IO protocol state machines: no async, no clock, no randomness, no logging, no sockets."""
