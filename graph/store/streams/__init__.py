"""Messages that are still being written, and notices of typing."""
