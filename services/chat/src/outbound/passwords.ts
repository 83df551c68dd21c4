import { KlatschError } from '@klatsch/contracts'
import { hash, verify } from '@node-rs/argon2'

/** Argon2id as OWASP recommends it: 19 MiB, two passes, one lane. */
const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const

/** Hashing takes a core for some 20 ms: so many at a time, so many waiting, and the rest is refused at once. */
const AT_ONCE = 2
const MAX_WAITING = 100

export interface Passwords {
  hash(password: string): Promise<string>
  /** `stored` undefined: nobody has that name; it takes just as long, so that time does not tell. */
  verify(stored: string | undefined, password: string): Promise<boolean>
}

export function argonPasswords(): Passwords {
  const inTurn = turns(AT_ONCE, MAX_WAITING)
  const nobodys = hash('a password that nobody has', parameters)
  // The same characters may be typed in different encodings on different machines.
  const normal = (password: string) => password.normalize('NFC')
  return {
    hash: (password) => inTurn(() => hash(normal(password), parameters)),
    async verify(stored, password) {
      const right = await inTurn(async () => verify(stored ?? (await nobodys), normal(password)))
      return right && stored !== undefined
    },
  }
}

/** Runs `atOnce` tasks at a time and lets `maxWaiting` wait. @throws KlatschError `server.overloaded` above that. */
function turns(atOnce: number, maxWaiting: number): <T>(task: () => Promise<T>) => Promise<T> {
  let running = 0
  const waiting: (() => void)[] = []
  return async (task) => {
    if (running >= atOnce) {
      if (waiting.length >= maxWaiting) {
        throw new KlatschError('server.overloaded', undefined, { retryAfterMs: 1_000 })
      }
      await new Promise<void>((resolve) => waiting.push(resolve))
    } else running += 1
    try {
      return await task()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running -= 1
    }
  }
}
