"""The GraphQL schema: types with their resolvers, independent of BSON and the driver."""
