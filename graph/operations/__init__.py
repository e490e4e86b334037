"""The operations of an application, shared by GraphQL and the Zep routes.

An operation checks its input, computes the values that a write needs (token counts), and calls the store through
`Backend`.
"""
