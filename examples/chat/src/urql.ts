import { mapExchange } from "@urql/core";
import type { Exchange } from "@urql/core";

import { newest } from "./newest";
import type { Versioned } from "./newest";

const REMEMBERED = 10_000; // messages and sessions whose newest state is kept

/** The same for urql: put it before the cache's exchange. It keeps the newest state of what results had. */
export function newestOnly(): Exchange {
  const states = new Map<string, object>();
  const known = (object: Versioned) => states.get(object.id);
  function remember(value: unknown): void {
    if (typeof value !== "object" || value === null) return;
    if ("revision" in value && "id" in value && "__typename" in value) {
      const id = String(value.id);
      const state = { ...states.get(id), ...value };
      states.delete(id); // the last one in the order of the map is the newest to be used
      states.set(id, state);
      if (states.size > REMEMBERED) states.delete(states.keys().next().value!);
    }
    for (const item of Object.values(value)) remember(item);
  }
  return mapExchange({
    onResult(result) {
      const data: unknown = newest(result.data, known);
      remember(data);
      return { ...result, data };
    },
  });
}
