"""The Model Context Protocol (https://modelcontextprotocol.io): tools, resources and a prompt for agents.

Each tool and resource is a GraphQL operation of the public API, so that rights, limits and costs are those of the API.
"""
