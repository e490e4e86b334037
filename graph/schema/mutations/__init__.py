"""The mutations: one module a domain, put together by `graph.schema.mutation`."""
