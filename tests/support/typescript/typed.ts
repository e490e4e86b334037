// Use of the client as TypeScript must accept or refuse it.
import { type Message, RecallQL, Unavailable } from "@recallql/client";
import { RecallQLChatTransport } from "@recallql/client/ai";
import { useConversation } from "@recallql/client/react";
import { DefaultChatTransport, type ChatTransport, type UIMessage } from "ai";

const memory = new RecallQL({ key: async () => "key" });
type Chat = UIMessage<{ model: string }>;
const answer = new DefaultChatTransport<Chat>({ api: "/api/chat" });
export const chat: ChatTransport<Chat> = new RecallQLChatTransport<Chat>({ client: memory, answer, store: false });
// @ts-expect-error something makes the answers
export const dumb = new RecallQLChatTransport({ client: memory });
export async function used(): Promise<number> {
  await memory.add("s", { role: "user", content: "Hello", metadata: { any: ["thing"] } }, { userId: "ada" });
  const hits = await memory.search("Hello", { mode: "LEXICAL", where: { roles: ["user"] } });
  for await (const message of memory.follow("s", { afterSeq: 1 })) return message.seq + (hits[0]?.score ?? 0);
  const messages: Message[] = useConversation(memory, "s").messages;
  if (new Unavailable([]).code === "UNAVAILABLE") return messages.length;
  // @ts-expect-error a message has a role
  await memory.add("s", { content: "Hello" });
  // @ts-expect-error there is no such mode
  await memory.search("Hello", { mode: "FUZZY" });
  return 0;
}
