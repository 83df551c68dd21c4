/** Every error a client can meet: a stable code, what it means, and whether to try the same again. */
export const errorCodes = {
  'frame.malformed': { status: 400, retryable: false, title: 'That is not a frame of this protocol' },
  'frame.unknown': { status: 400, retryable: false, title: 'A frame of a type this server does not know' },
  'frame.unexpected': {
    status: 400,
    retryable: false,
    title: 'That frame does not fit the state of the connection',
  },
  'request.invalid': { status: 400, retryable: false, title: 'The request does not have the form it should' },
  'request.too_large': { status: 413, retryable: false, title: 'The request is too large' },
  'request.not_found': { status: 404, retryable: false, title: 'There is nothing at this address' },
  'request.method_not_allowed': {
    status: 405,
    retryable: false,
    title: 'This address does not take that method',
  },
  'request.unsupported_media_type': { status: 415, retryable: false, title: 'Send JSON (application/json)' },
  'auth.required': { status: 401, retryable: false, title: 'A token is needed' },
  'auth.invalid_token': { status: 401, retryable: false, title: 'The token is not valid' },
  'auth.expired': { status: 401, retryable: false, title: 'The token has expired' },
  'auth.session_ended': { status: 401, retryable: false, title: 'This session has ended; sign in again' },
  'auth.wrong_credentials': { status: 401, retryable: false, title: 'The name or the password is wrong' },
  'auth.refresh_reused': {
    status: 401,
    retryable: false,
    title: 'This refresh token was used before; all tokens of its family are revoked',
  },
  'auth.origin_not_allowed': { status: 403, retryable: false, title: 'This page may not connect here' },
  'auth.forbidden': { status: 403, retryable: false, title: 'That is not allowed for you' },
  'account.name_taken': { status: 409, retryable: false, title: 'That name is taken' },
  'guest.not_allowed': { status: 403, retryable: false, title: 'Guests may only be in the global room' },
  'command.unknown': {
    status: 400,
    retryable: false,
    title: 'A command of a type this server does not know',
  },
  'command.invalid': { status: 422, retryable: false, title: 'The command does not have the form it should' },
  'command.id_reused': { status: 409, retryable: false, title: 'This id already names another command' },
  'command.after_unknown': {
    status: 409,
    retryable: true,
    title: 'The command named by "after" has no outcome yet',
  },
  'command.held': {
    status: 503,
    retryable: false,
    title: 'The command could not be decided and is kept for repair',
  },
  'command.cancelled': {
    status: 409,
    retryable: false,
    title: 'The command was cancelled before it was decided',
  },
  'room.not_found': { status: 404, retryable: false, title: 'There is no such room' },
  'room.not_a_member': { status: 403, retryable: false, title: 'You are not a member of this room' },
  'room.not_allowed': { status: 403, retryable: false, title: 'You may not do that in this room' },
  'drill.not_here': { status: 409, retryable: false, title: 'That drill cannot be run from here' },
  'limit.rate': { status: 429, retryable: true, title: 'Too much at once; wait a moment' },
  'limit.sockets': { status: 429, retryable: true, title: 'Too many connections of one user' },
  'server.overloaded': { status: 503, retryable: true, title: 'The server has too much to do; try again' },
  'server.unavailable': { status: 503, retryable: true, title: 'A part of the server is away; try again' },
  'server.timeout': {
    status: 504,
    retryable: true,
    title: 'No answer in time; the outcome is not known yet',
  },
  'server.internal': { status: 500, retryable: true, title: 'Something went wrong on the server' },
} as const satisfies Record<string, { status: number; retryable: boolean; title: string }>

export type ErrorCode = keyof typeof errorCodes

/** The one error that crosses module edges: a stable code, words for a person, and its cause. */
export class KlatschError extends Error {
  override readonly name = 'KlatschError'
  readonly code: ErrorCode
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, detail?: string, options?: { cause?: unknown; retryAfterMs?: number }) {
    super(
      detail ?? errorCodes[code].title,
      options?.cause === undefined ? undefined : { cause: options.cause },
    )
    this.code = code
    this.retryAfterMs = options?.retryAfterMs
  }

  get retryable(): boolean {
    return errorCodes[this.code].retryable
  }
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(errorCodes, value)
}
