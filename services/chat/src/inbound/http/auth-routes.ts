import {
  guestBodySchema,
  KlatschError,
  loginBodySchema,
  logoutBodySchema,
  refreshBodySchema,
  registerBodySchema,
  type Session,
  usernameSchema,
} from '@klatsch/contracts'
import { parseInput } from '@klatsch/service-kit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { nameKey } from '../../domain/names.ts'
import { type Rate, rateLimiter } from '../../domain/rate-limit.ts'
import { ACCESS_SECONDS } from '../../domain/sessions.ts'
import type { AccessTokens } from '../../outbound/access-tokens.ts'
import type { Accounts, OpenSession } from '../../outbound/accounts.ts'
import type { Passwords } from '../../outbound/passwords.ts'
import type { Welcome } from '../../outbound/welcome.ts'
import { addressOf, callerOf } from './callers.ts'

export interface AuthRoutes {
  readonly accounts: Accounts
  readonly passwords: Passwords
  readonly tokens: AccessTokens
  readonly welcome: Welcome
  readonly internalToken: string
  /** Whoever registers this name becomes an administrator. */
  readonly adminUsername: string | undefined
  /** Attempts to register or to sign in with a password, from one address. */
  readonly passwordRate: Rate
  /** Guests made and tokens refreshed, from one address. */
  readonly guestRate: Rate
  readonly now: () => number
}

/** Guesses at one name's password from one address. */
const guessRate: Rate = { perMinute: 20, burst: 20 }

export function authRoutes(app: FastifyInstance, options: AuthRoutes): void {
  const { accounts, passwords, tokens, welcome, internalToken, now } = options
  const passwordLimit = rateLimiter(options.passwordRate, now)
  const guestLimit = rateLimiter(options.guestRate, now)
  const guessLimit = rateLimiter(guessRate, now)
  const adminKey = options.adminUsername === undefined ? undefined : nameKey(options.adminUsername)

  function limited(limiter: { take(key: string): number }, key: string): void {
    const retryAfterMs = limiter.take(key)
    if (retryAfterMs > 0) throw new KlatschError('limit.rate', undefined, { retryAfterMs })
  }

  async function answer({ user, sessionId, refreshToken }: OpenSession): Promise<Session> {
    welcome.bringIn(user)
    const accessToken = await tokens.issue(user, sessionId)
    return { user, accessToken, refreshToken, expiresIn: ACCESS_SECONDS }
  }

  const from = (request: FastifyRequest) => addressOf(internalToken, request)

  app.post('/api/auth/register', async (request, reply) => {
    limited(passwordLimit, from(request))
    const { username, password, displayName = username } = parseInput(registerBodySchema, request.body)
    const passwordHash = await passwords.hash(password)
    const admin = nameKey(username) === adminKey
    const session = await accounts.create({ username, displayName, passwordHash, admin })
    return reply.code(201).send(await answer(session))
  })

  app.post('/api/auth/login', async (request) => {
    const address = from(request)
    limited(passwordLimit, address)
    const { username, password } = parseInput(loginBodySchema, request.body)
    limited(guessLimit, `${address} ${nameKey(username)}`)
    // What cannot be a name is no one's, and takes as long to find out.
    const possible = usernameSchema.safeParse(username.normalize('NFC')).success
    const account = possible ? await accounts.byName(username) : undefined
    if (!(await passwords.verify(account?.passwordHash, password)) || !account) {
      throw new KlatschError('auth.wrong_credentials')
    }
    return answer(await accounts.signIn(account.user))
  })

  app.post('/api/auth/guest', async (request) => {
    limited(guestLimit, from(request))
    const { username } = parseInput(guestBodySchema, request.body)
    return answer(await accounts.create({ username, displayName: username, admin: false }))
  })

  app.post('/api/auth/refresh', async (request) => {
    limited(guestLimit, from(request))
    const { refreshToken } = parseInput(refreshBodySchema, request.body)
    const key = request.headers['idempotency-key']
    return answer(
      await accounts.refresh(refreshToken, typeof key === 'string' ? key.slice(0, 100) : undefined),
    )
  })

  app.post('/api/auth/logout', async (request, reply) => {
    const { refreshToken } = parseInput(logoutBodySchema, request.body ?? {})
    const of =
      refreshToken === undefined
        ? { sessionId: (await callerOf(tokens, request)).sessionId }
        : { refreshToken }
    await accounts.signOut(of)
    return reply.code(204).send()
  })

  app.get('/api/auth/me', async (request) => {
    const caller = await callerOf(tokens, request)
    const user = await accounts.byId(caller.user.id)
    if (!user) throw new KlatschError('auth.invalid_token')
    welcome.bringIn(user)
    return { user }
  })
}
