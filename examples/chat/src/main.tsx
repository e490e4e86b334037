import type { ApolloClient } from "@apollo/client";
import { ApolloProvider, useApolloClient, useQuery } from "@apollo/client/react";
import { useState } from "react";
import { createRoot } from "react-dom/client";

import { connect, hasCode } from "./apollo";
import { Conversation, report } from "./conversation";
import { useLiveSessions } from "./live";
import { CREATE, DELETE_SESSION, SESSIONS } from "./operations";

interface SignedIn {
  client: ApolloClient;
  askAssistant: (sessionId: string) => Promise<void>;
}

/** The page's own backend signs users in and has the assistant; see backend.py. */
async function signIn(user: string): Promise<SignedIn> {
  const post = (path: string, body: object) =>
    fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  let current = (await (await post("/sign-in", { user })).json()) as { token: string; expires: number; url: string };
  async function token(): Promise<string> {
    if (Date.now() / 1000 > current.expires - 5) current = await (await post("/sign-in", { user })).json();
    return current.token;
  }
  return {
    client: connect(current.url, token),
    askAssistant: async (sessionId) => void (await post("/answers", { sessionId, token: await token() })),
  };
}

function Chats({ askAssistant }: { askAssistant: SignedIn["askAssistant"] }) {
  const client = useApolloClient();
  const [open, setOpen] = useState<string | null>(null);
  useLiveSessions(client);
  const { data } = useQuery(SESSIONS, { fetchPolicy: "cache-only" });
  const sessions = (data?.sessions.edges ?? []).map(({ node }) => node);
  sessions.sort((one, other) => other.updatedAt.localeCompare(one.updatedAt));
  const current = sessions.find(({ sessionId }) => sessionId === open);

  async function create(): Promise<void> {
    const sessionId = crypto.randomUUID();
    await client.mutate({ mutation: CREATE, variables: { sessionId } }).catch((error: unknown) => {
      if (!hasCode(error, "CONFLICT")) throw error; // the answer to the first attempt was lost
    });
    setOpen(sessionId);
  }

  return (
    <main>
      <nav aria-label="Conversations" aria-busy={!data}>
        <button onClick={() => void create().catch(report)}>New chat</button>
        <ul>
          {sessions.map(({ sessionId, title, unreadCount, lastMessage }) => (
            <li key={sessionId} data-session={sessionId} data-unread={unreadCount} data-last={lastMessage?.seq}>
              <button aria-current={sessionId === open} onClick={() => setOpen(sessionId)}>{title ?? "New chat"}</button>
              {unreadCount > 0 && <span className="unread">{unreadCount}</span>}
              <button
                aria-label="Delete conversation"
                onClick={() => void client.mutate({ mutation: DELETE_SESSION, variables: { sessionId } }).catch(report)}
              >
                ×
              </button>
            </li>
          ))}
        </ul>
      </nav>
      {current && <Conversation key={current.sessionId} session={current} askAssistant={askAssistant} onFork={setOpen} />}
    </main>
  );
}

function Page() {
  const [signedIn, setSignedIn] = useState<SignedIn | null>(null);
  if (!signedIn) {
    return ["ada", "bob"].map((user) => (
      <button key={user} onClick={() => void signIn(user).then(setSignedIn)}>Sign in as {user}</button>
    ));
  }
  return (
    <ApolloProvider client={signedIn.client}>
      <Chats askAssistant={signedIn.askAssistant} />
    </ApolloProvider>
  );
}

createRoot(document.getElementById("root")!).render(<Page />);
