import { z } from 'zod'

const claims = z.object({ exp: z.number(), iat: z.number().optional() })

/**
 * How long a token is still good, in milliseconds, as far as one can read it; undefined when one cannot.
 * Never longer than the whole life its issuer gave it, so a clock that is behind does no harm.
 */
export function tokenLifeMs(token: string, now: number): number | undefined {
  try {
    const payload = token.split('.')[1] ?? ''
    const text = new TextDecoder().decode(
      Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0)),
    )
    const { exp, iat } = claims.parse(JSON.parse(text))
    const left = exp * 1_000 - now
    return iat === undefined ? left : Math.min(left, (exp - iat) * 1_000)
  } catch {
    return undefined
  }
}

const EARLY_MS = 60_000
const LEAST_MS = 5_000

/** When to ask for the next token: a minute before the end, or after three quarters of a shorter life. */
export function renewInMs(lifeMs: number): number {
  return Math.max(LEAST_MS, lifeMs - Math.min(EARLY_MS, lifeMs / 4))
}
