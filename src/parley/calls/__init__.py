"""The SFU that speaks the Calls API: sessions, tracks and data channels between many peers. Policy only.

What lives here: one session's signalling (`session`), who publishes what (`app`), data channels (`channels`), client
tokens, TURN credentials, and the service that runs them on a media plane (`service`). What does not: packets, which
never enter Python (`parley.media`), SDP text (`parley.sdp`), the wire's types (`parley.protocol.calls`) and HTTP
(`parley.server`).
"""
