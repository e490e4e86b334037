// A chat with `useChat`, whose answers a function of the page makes. The address has the server: ?url=URL&session=ID.

import { useChat } from "@ai-sdk/react";
import { RecallQL } from "@recallql/client";
import { RecallQLChatTransport } from "@recallql/client/ai";
import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

const asked = new URLSearchParams(location.search);
const chatId = asked.get("session");

// The words of the answer, as slow as the page says.
function answer({ messages, abortSignal }) {
  const count = messages.filter(({ role }) => role === "user").length;
  const words = Array.from({ length: 60 }, (_, number) => `${count}.${number} `);
  return new ReadableStream({
    async start(controller) {
      const give = (chunk) => controller.enqueue(chunk);
      give({ type: "start" });
      give({ type: "text-start", id: "t" });
      for (const delta of words) {
        if (abortSignal?.aborted) break;
        await new Promise((resolve) => setTimeout(resolve, window.slow ?? 50));
        give({ type: "text-delta", id: "t", delta });
      }
      give({ type: "text-end", id: "t" });
      give({ type: "finish" });
      controller.close();
    },
  });
}

const client = new RecallQL({ url: asked.get("url") });
const transport = new RecallQLChatTransport({ client, answer, userId: "ada" });

function Chat({ stored }) {
  const chat = useChat({ id: chatId, messages: stored, resume: true, transport });
  const textOf = ({ parts }) =>
    parts
      .map((part) => part.text ?? "")
      .join("")
      .trim();
  return (
    <main>
      <p id="status">{chat.error === undefined ? chat.status : chat.error.message}</p>
      <ol>
        {chat.messages.map((message) => (
          <li key={message.id}>{textOf(message)}</li>
        ))}
      </ol>
      <button id="send" onClick={() => chat.sendMessage({ text: "question" })}>
        send
      </button>
      <button id="again" onClick={() => chat.regenerate()}>
        again
      </button>
    </main>
  );
}

function App() {
  const [stored, setStored] = useState(null);
  useEffect(() => void transport.messages(chatId).then(setStored), []);
  return stored === null ? null : <Chat stored={stored} />;
}

createRoot(document.querySelector("#app")).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
