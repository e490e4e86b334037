// The errors of the API, one class for each code.

/** An error of a GraphQL response. */
export interface ResponseError {
  message: string;
  path?: (string | number)[];
  extensions?: { code?: string; [name: string]: unknown };
}

/** The API answered with errors, which `errors` has; `code` is that of the first one. */
export class RecallQLError extends Error {
  override name = "RecallQLError";
  readonly errors: ResponseError[];

  constructor(errors: ResponseError[]) {
    super(errors.map((error) => error.message).join("; "));
    this.errors = errors;
  }

  /** The code of the first error; undefined for an error of GraphQL itself. */
  get code(): string | undefined {
    return this.extensions.code;
  }

  /** The `extensions` of the first error. */
  get extensions(): { code?: string; [name: string]: unknown } {
    return this.errors[0]?.extensions ?? {};
  }
}

/** An argument is not accepted. */
export class BadUserInput extends RecallQLError {
  override name = "BadUserInput";
}

/** The object does not exist, or the caller may not see it. */
export class NotFound extends RecallQLError {
  override name = "NotFound";
}

/** The write contradicts what is stored. */
export class Conflict extends RecallQLError {
  override name = "Conflict";
}

/** The credentials are missing or wrong. */
export class Unauthenticated extends RecallQLError {
  override name = "Unauthenticated";
}

/** The caller lacks the right. */
export class Forbidden extends RecallQLError {
  override name = "Forbidden";
}

/** The operation costs more than the caller may spend; `extensions` may name the seconds to wait. */
export class TooCostly extends RecallQLError {
  override name = "TooCostly";
}

/** The service can't answer now; `extensions` says whether the outcome of a write is unknown. */
export class Unavailable extends RecallQLError {
  override name = "Unavailable";
}

/** The service failed in a way that was not foreseen. */
export class Internal extends RecallQLError {
  override name = "Internal";
}

/** The connection was lost, or no answer came in time: the outcome of a call that was sent is unknown. */
export class ConnectionLost extends Error {
  override name = "ConnectionLost";
}

const BY_CODE: Record<string, typeof RecallQLError> = {
  BAD_USER_INPUT: BadUserInput,
  NOT_FOUND: NotFound,
  CONFLICT: Conflict,
  UNAUTHENTICATED: Unauthenticated,
  FORBIDDEN: Forbidden,
  TOO_COSTLY: TooCostly,
  UNAVAILABLE: Unavailable,
  INTERNAL: Internal,
};

/** The error for the errors of a response, of the class for the first error's code. */
export function errorOf(errors: ResponseError[]): RecallQLError {
  const Class = BY_CODE[errors[0]?.extensions?.code ?? ""] ?? RecallQLError;
  return new Class(errors);
}
