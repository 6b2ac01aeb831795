"""The HTTP and WebSocket server: composition root and reader of settings."""
