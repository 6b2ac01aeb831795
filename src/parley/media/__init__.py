"""The media plane: peers, listeners, speakers. The contract is `plane`."""
