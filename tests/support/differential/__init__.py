"""The compiled executor against the stock one, on random queries over the whole schema."""
