// Apollo Server with the official MongoDB driver, on RecallQL's schema and data: node server.mjs URI DATABASE PORT
import { readFileSync } from "node:fs";
import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";
import { GraphQLScalarType } from "graphql";
import { MongoClient } from "mongodb";

const [uri, name, port] = process.argv.slice(2);
const client = new MongoClient(uri, { maxPoolSize: 32, readConcern: { level: "majority" } });
await client.connect();
const database = client.db(name);
const sessions = database.collection("sessions");
const messages = database.collection("messages");

const globalId = (type, key) => Buffer.from(`${type}:${key}`).toString("base64url");

const resolvers = {
  DateTime: new GraphQLScalarType({ name: "DateTime", serialize: (value) => value.toISOString() }),
  JSON: new GraphQLScalarType({ name: "JSON", serialize: (value) => value }),
  Query: {
    memory: (_, { sessionId }) => sessions.findOne({ _id: sessionId }),
  },
  Memory: {
    id: (memory) => globalId("Memory", `s:${memory._id}`),
    messages: async (memory, { last }) =>
      (
        await messages
          .find({ sessionId: memory._id, seq: { $gt: last == null ? memory.summarySeq : 0 } })
          .sort({ seq: -1 })
          .limit(last ?? 12)
          .toArray()
      ).reverse(),
  },
  Message: {
    id: (message) => globalId("Message", message._id),
    uuid: (message) => message._id,
    entities: (message) => message.entities.map((entity) => ({ ...entity, message })),
  },
  Entity: {
    id: ({ key, message }) => globalId("Entity", `m:${message._id}:${key}`),
    mentionCount: ({ matches }) => matches.length,
    firstSeenAt: ({ message }) => message.createdAt,
    lastSeenAt: ({ message }) => message.createdAt,
    matches: ({ matches, message }, { first }) =>
      (first == null ? matches : matches.slice(0, first)).map((match) => ({ ...match, message })),
  },
  Node: { __resolveType: () => null },
};

const typeDefs = readFileSync(new URL("../../schema.graphql", import.meta.url), "utf8");
const server = new ApolloServer({ typeDefs, resolvers, introspection: false });
await startStandaloneServer(server, { listen: { port: Number(port), host: "127.0.0.1" } });
