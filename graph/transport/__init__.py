"""The transports of GraphQL: HTTP, server-sent events, multipart and WebSocket."""
