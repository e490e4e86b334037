"""What an application can do, once: GraphQL and the Zep routes are two ways of asking for these functions.

An operation checks its input, computes what a write needs (token counts), and calls the store, which it reaches
through `Backend`.
"""
