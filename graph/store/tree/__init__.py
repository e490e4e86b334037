"""The tree of a session's messages."""
