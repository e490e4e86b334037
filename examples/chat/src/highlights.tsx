import type { ReactNode } from "react";

import type { Message } from "./operations";

/** The text of a message with its entities marked. JavaScript's offsets count units of UTF-16, as `start(unit: UTF16)` does. */
export function Highlights({ message: { content, entities } }: { message: Message }): ReactNode {
  const matches = entities.flatMap(({ label, matches }) => matches.map((match) => ({ ...match, label })));
  const shown: ReactNode[] = [];
  let end = 0;
  for (const match of matches.sort((one, other) => one.start - other.start)) {
    if (match.start < end) continue;
    shown.push(content.slice(end, match.start));
    shown.push(<mark key={match.start} title={match.label}>{content.slice(match.start, match.end)}</mark>);
    end = match.end;
  }
  return [...shown, content.slice(end)];
}
