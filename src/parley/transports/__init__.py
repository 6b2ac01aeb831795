"""How a realtime session reaches its client."""
