// A chat with `useConversation`. The address of the page has the server and the session: ?url=URL&session=ID.

import { RecallQL } from "@recallql/client";
import { useConversation } from "@recallql/client/react";
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";

const asked = new URLSearchParams(location.search);
const client = new RecallQL({ url: asked.get("url") });

function Chat({ session }) {
  const { messages, status, error, add } = useConversation(client, session, { userId: "ada" });
  return (
    <main>
      <p id="status">{error === null ? status : error.name}</p>
      <ol>{messages.map(({ seq, content }) => <li key={seq}>{`${seq} ${content}`}</li>)}</ol>
      <button id="add" onClick={() => add({ role: "user", content: "from the page" })}>add</button>
    </main>
  );
}

function App() {
  const [session, setSession] = useState(asked.get("session"));
  return (
    <>
      <Chat session={session} />
      <button id="other" onClick={() => setSession("other")}>other</button>
    </>
  );
}

createRoot(document.querySelector("#app")).render(<StrictMode><App /></StrictMode>);
