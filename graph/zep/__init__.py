"""Zep's v1 REST API, so that its clients run unmodified: a translation onto the operations that GraphQL uses."""
