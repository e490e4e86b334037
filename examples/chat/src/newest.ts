// An answer can arrive after the event of a later change. Of two states of a message or session, the one with the
// greater `revision` is the newer one.

export interface Versioned {
  __typename: string;
  id: string;
  revision: number;
}

export type Known = (object: Versioned) => object | null | undefined;

/** The value with each message and session that is older than the known state replaced by that, in the same fields. */
export function newest<T>(value: T, known: Known): T {
  if (Array.isArray(value)) return value.map((item) => newest(item, known)) as T;
  if (typeof value !== "object" || value === null) return value;
  const object = Object.fromEntries(Object.entries(value).map(([name, item]) => [name, newest(item, known)]));
  const kept = isVersioned(object) ? known(object) : null;
  if (!kept || !("revision" in kept) || (kept.revision as number) <= (object["revision"] as number)) return object as T;
  return { ...object, ...Object.fromEntries(Object.entries(kept).filter(([name]) => name in object)) } as T;
}

function isVersioned(object: object): object is Versioned {
  return "__typename" in object && "id" in object && "revision" in object;
}
