"""The Realtime conversation as a deterministic machine: inputs in, outputs out, one deadline. See `session`."""
