"""The keyless default: speech recognition, small talk and speech synthesis in process, on two CPU cores.

Weights come from the package index as pinned archives (`manifest`, `carriers`, `store`); each engine is one module
with a `build` factory that the catalogue finds by entry point. Nothing here reaches for the network while serving.
"""
