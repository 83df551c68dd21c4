import { type ErrorCode, type ErrorFrame, errorCodes } from '@klatsch/contracts'

/** What went wrong, in the words of its code where there are no better ones. */
export function errorFrame(
  code: ErrorCode,
  more: { id?: string; subject?: string; detail?: string; retryAfterMs?: number } = {},
): ErrorFrame {
  const { title, retryable } = errorCodes[code]
  return { type: 'error', code, retryable, ...more, detail: more.detail ?? title }
}
