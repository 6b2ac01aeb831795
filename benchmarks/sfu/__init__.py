"""Servers that forward, each told in its own way to publish and to subscribe. The clients are the same for all."""
