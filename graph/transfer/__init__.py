"""Export and import of conversations as a file; `records` describes the format."""
