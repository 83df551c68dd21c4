import { type ErrorCode, errorCodes, KlatschError } from '@klatsch/contracts'

/** What went wrong and what to do, for the codes where this page knows better than the server's own words. */
const words: Partial<Record<ErrorCode, string>> = {
  'account.name_taken': 'That name is taken. Try another one.',
  'auth.wrong_credentials': 'The name or the password is not right. Check both and try again.',
  'auth.required': 'You are logged out. Log in again to go on.',
  'auth.expired': 'Your session has ended. Log in again to go on.',
  'auth.refresh_reused': 'Your session was ended for safety. Log in again to go on.',
  'guest.not_allowed': 'Guests may only talk in the room everyone shares. Create an account for the rest.',
  'room.not_found': 'This room is not there any more, or it is private.',
  'room.not_a_member': 'You are not in this room any more. Join it again to write here.',
  'command.held': 'The server could not decide this and kept it for repair. It may still appear.',
  'command.id_reused': 'This was sent before with another text. Send it again.',
  'limit.rate': 'That was a lot at once. Wait a moment and try again.',
  'server.unavailable': 'Klatsch cannot be reached right now. Check your connection and try again.',
  'server.timeout': 'No answer in time. Check your connection and try again.',
  'server.internal': 'Something went wrong on the server. Try again in a moment.',
  'request.too_large': 'That is too much text for one message.',
}

export function troubleOf(error: unknown): string {
  if (!(error instanceof KlatschError)) return 'Something went wrong in this page. Reload it and try again.'
  return words[error.code] ?? `${error.message}.`.replace(/\.\.$/, '.')
}

export const troubleOfCode = (code: ErrorCode | undefined, detail: string | undefined): string =>
  (code && words[code]) ?? detail ?? (code ? errorCodes[code].title : 'It was refused.')

/** `username: must be …` → the field it is about and the rest, as a sentence. */
export function fieldTrouble(error: unknown): { readonly field: string; readonly text: string } | undefined {
  if (!(error instanceof KlatschError)) return undefined
  if (error.code === 'account.name_taken') return { field: 'username', text: troubleOf(error) }
  const match = /^(?:data\.)?(\w+): (.+)$/s.exec(error.message)
  return match?.[1] && match[2] ? { field: match[1], text: sentence(match[2]) } : undefined
}

export const sentence = (text: string): string =>
  `${text.charAt(0).toLocaleUpperCase()}${text.slice(1).replace(/\.$/, '')}.`
