// Real clients with automatic persisted queries, twice each, so that the second one finds what the first one left.
// Usage: node persisted.mjs URL CLIENT print|run. Prints the text that the client sends, or the counts that came back
// and the kind of each request, as JSON.

import { createHash } from "node:crypto";

import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client/core";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { print } from "@apollo/client/utilities";
import { Client, fetchExchange, gql as urqlGql, stringifyDocument } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";

const [url, name, what] = process.argv.slice(2);
const QUERY = "query Q($id: ID!) { session(sessionId: $id) { id messageCount } }";
const variables = { id: "s" };
const sent = [];

function kind({ query, extensions }) {
  const hash = extensions?.persistedQuery ? "hash" : "";
  return [hash, query ? "text" : ""].filter(Boolean).join(" and ");
}

async function watchedFetch(address, options) {
  const { searchParams } = new URL(address);
  sent.push(
    options.method === "GET"
      ? kind({ query: searchParams.get("query"), extensions: JSON.parse(searchParams.get("extensions") ?? "{}") })
      : kind(JSON.parse(options.body)),
  );
  return fetch(address, options);
}

function apollo(useGETForHashedQueries) {
  const sha256 = (text) => createHash("sha256").update(text).digest("hex");
  const link = ApolloLink.from([
    new PersistedQueryLink({ sha256, useGETForHashedQueries }),
    new HttpLink({ uri: url, fetch: watchedFetch }),
  ]);
  const client = new ApolloClient({ link, cache: new InMemoryCache() });
  return {
    // As the cache's own document transform has it.
    text: () => print(client.documentTransform.transformDocument(gql(QUERY))),
    ask: async () =>
      (await client.query({ query: gql(QUERY), variables, fetchPolicy: "network-only" })).data.session?.messageCount,
  };
}

function urql(preferGetForPersistedQueries) {
  const exchanges = [persistedExchange({ preferGetForPersistedQueries }), fetchExchange];
  const client = new Client({ url, fetch: watchedFetch, exchanges, preferGetMethod: false });
  return {
    text: () => stringifyDocument(urqlGql(QUERY)),
    async ask() {
      const answer = await client.query(QUERY, variables, { requestPolicy: "network-only" }).toPromise();
      if (answer.error) throw answer.error;
      return answer.data.session?.messageCount;
    },
  };
}

const clients = {
  apollo: () => apollo(false),
  "apollo-get": () => apollo(true),
  urql: () => urql(undefined),
  "urql-post": () => urql(false),
};

const client = clients[name]();
if (what === "print") {
  console.log(JSON.stringify(client.text()));
} else {
  const counts = [(await client.ask()) ?? null, (await client.ask()) ?? null];
  console.log(JSON.stringify({ counts, sent }));
}
process.exit(0);
