"""PCM in and out of every format: pure functions over the Rust core."""
