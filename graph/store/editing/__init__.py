"""Edits and deletions of single messages."""
