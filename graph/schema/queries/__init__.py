"""The queries: one module a domain, put together by `graph.schema.query`."""
