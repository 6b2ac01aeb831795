"""Parley: a self-hosted, open, real-time voice-AI server.

`parley serve` runs it. The public Python API is `parley.testing` (engine fakes and contract suites) and the engine
roles in `parley.engines.base`; everything else is described in ARCHITECTURE.md.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
