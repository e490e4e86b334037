"""The GraphQL surface: one type a file, with its resolvers. Knows no BSON and no driver."""
