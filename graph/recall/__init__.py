"""Recall: finding messages by words, meaning, speakers and dates. Pure functions over columns; no input and output."""
