"""Authentication and authorization: callers, their rights, and the data in their scope."""
