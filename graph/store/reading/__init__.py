"""Reads of lists: pages, windows, conditions and projections."""
