"""The media plane: peers, publications, listeners and speakers, behind one contract.

What lives here: the contract (`plane`, with its `commands`, `events`, `peer_spec`, `errors`) and its implementations
(`loopback`: in memory and in virtual time). What does not: SDP text (`parley.sdp`), sessions and what items mean
(`parley.runtime`). Importers take names from the module that defines them.
"""
