"""Taking conversations out of a store and into another, as a file; `records` describes the file."""
