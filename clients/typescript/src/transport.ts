// GraphQL over HTTP: queries and mutations with retries, subscriptions over server-sent events.

import { EventSourceParserStream } from "eventsource-parser/stream";
import pRetry from "p-retry";

import { ConnectionLost, errorOf, type ResponseError, Unavailable } from "./errors.js";
import type { TypedDocumentString } from "./generated.js";

/** The settings of a client. */
export interface Options {
  /** The address of the server; `http://localhost:8000` by default. */
  url?: string;
  /** A service key or JWT, or a function that returns the current one. */
  key?: string | (() => string | Promise<string>);
  /** The maximum number of requests for one call; 5 by default. */
  attempts?: number;
  /** The maximum milliseconds for one answer, and between two signs of life of a stream; 60,000 by default. */
  timeout?: number;
  /** A `fetch` of your own. */
  fetch?: typeof fetch;
}

/** Limits of one operation. */
export interface Sending {
  /** The maximum number of requests. */
  attempts?: number;
  /** Ends the call. */
  signal?: AbortSignal | undefined;
}

interface Response_<Result> {
  data?: Result;
  errors?: ResponseError[];
}

/** Sends operations. A mutation that is sent again carries an idempotency key, or has no further effect. */
export class Transport {
  readonly #url: string;
  readonly #key: Options["key"];
  readonly #attempts: number;
  readonly #timeout: number;
  readonly #fetch: typeof fetch;

  constructor(options: Options = {}) {
    this.#url = new URL("/graphql", options.url ?? "http://localhost:8000").href;
    this.#key = options.key;
    this.#attempts = options.attempts ?? 5;
    this.#timeout = options.timeout ?? 60_000;
    this.#fetch = options.fetch ?? ((...request) => fetch(...request));
  }

  /**
   * Execute a query or mutation; return its data.
   *
   * @throws {RecallQLError} the response has errors
   * @throws {ConnectionLost} no answer came in any attempt
   */
  async execute<Result, Variables>(
    document: TypedDocumentString<Result, Variables>,
    variables: Variables,
    { attempts = this.#attempts, signal }: Sending = {},
  ): Promise<Result> {
    const once = async () => {
      const controller = new AbortController();
      const idle = new Idle(this.#timeout, controller);
      try {
        const answer = await this.#post(document, variables, "application/json", controller, signal);
        return dataOf(await parsed<Result>(answer));
      } finally {
        idle.stop();
      }
    };
    return repeated(once, { attempts, signal });
  }

  /**
   * Yield the results of a subscription until the server completes it.
   *
   * @throws {RecallQLError} the subscription is refused or fails
   * @throws {ConnectionLost} the connection is lost
   */
  async *subscribe<Result, Variables>(
    document: TypedDocumentString<Result, Variables>,
    variables: Variables,
    signal?: AbortSignal,
  ): AsyncGenerator<Result, void, undefined> {
    const controller = new AbortController();
    const idle = new Idle(this.#timeout, controller);
    try {
      const answer = await this.#post(document, variables, "text/event-stream", controller, signal);
      if (!answer.headers.get("content-type")?.startsWith("text/event-stream")) {
        dataOf(await parsed<Result>(answer)); // a refusal
        throw new ConnectionLost("the server answered a subscription with no stream");
      }
      for await (const { event, data } of events(answer, idle)) {
        if (event === "complete") return;
        if (event === "next") yield dataOf(JSON.parse(data) as Response_<Result>);
      }
      throw new ConnectionLost("the stream ended before the subscription was complete");
    } finally {
      idle.stop();
      controller.abort();
    }
  }

  async #post<Result, Variables>(
    document: TypedDocumentString<Result, Variables>,
    variables: Variables,
    accept: string,
    controller: AbortController,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    const key = typeof this.#key === "function" ? await this.#key() : this.#key;
    const headers: Record<string, string> = { "content-type": "application/json", accept };
    if (key !== undefined) headers["authorization"] = `Bearer ${key}`;
    const body = JSON.stringify({ query: document.toString(), variables });
    const signals = AbortSignal.any(signal === undefined ? [controller.signal] : [controller.signal, signal]);
    return connected(() => this.#fetch(this.#url, { method: "POST", headers, body, signal: signals }));
  }
}

/** Attempts of a call with a growing random wait between them, while the server can't be reached or is unavailable. */
export function repeated<T>(call: () => Promise<T>, { attempts = Infinity, signal }: Sending): Promise<T> {
  return pRetry(call, {
    retries: attempts - 1,
    minTimeout: 200,
    maxTimeout: 10_000,
    randomize: true,
    shouldRetry: ({ error }) => error instanceof Unavailable || error instanceof ConnectionLost,
    signal,
  });
}

/** Aborts a request of which nothing came for a while. */
class Idle {
  readonly #milliseconds: number;
  readonly #controller: AbortController;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(milliseconds: number, controller: AbortController) {
    this.#milliseconds = milliseconds;
    this.#controller = controller;
    this.restart();
  }

  restart(): void {
    this.stop();
    this.#timer = setTimeout(() => {
      this.#controller.abort(new ConnectionLost(`nothing came for ${this.#milliseconds} ms`));
    }, this.#milliseconds);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** The events of a stream; also a comment, by which the server shows that it lives, restarts the clock. */
async function* events(answer: Response, idle: Idle): AsyncGenerator<{ event?: string | undefined; data: string }> {
  const alive = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      idle.restart();
      controller.enqueue(chunk);
    },
  });
  const body = answer.body as ReadableStream<Uint8Array<ArrayBuffer>>;
  const stream = body.pipeThrough(alive).pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  const reader = stream.getReader(); // a stream that can be iterated is missing in Safari
  for (;;) {
    const { done, value } = await connected(() => reader.read());
    if (done) return;
    yield value;
  }
}

/** The result of a step of the network, whose errors have other classes in each browser. */
async function connected<T>(step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof ConnectionLost) throw error;
    throw new ConnectionLost(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** The body of a response of GraphQL; Unavailable if it is none, such as the page of a proxy. */
async function parsed<Result>(answer: Response): Promise<Response_<Result>> {
  const text = await connected(() => answer.text());
  try {
    return JSON.parse(text) as Response_<Result>;
  } catch {
    throw new Unavailable([{ message: `the server answered with status ${answer.status} and no JSON` }]);
  }
}

function dataOf<Result>({ data, errors }: Response_<Result>): Result {
  if (errors !== undefined) throw errorOf(errors);
  return data as Result;
}
