import { createHash } from 'node:crypto'
import { type ErrorCode, KlatschError, type User } from '@klatsch/contracts'
import { Prisma } from '../../generated/prisma/client.ts'
import { nameKey } from '../domain/names.ts'
import { decideRefresh, sessionMs } from '../domain/sessions.ts'
import { answering, type PrismaClient } from './prisma.ts'

export interface NewUser {
  readonly username: string
  readonly displayName: string
  /** Absent: a guest. */
  readonly passwordHash?: string
  readonly admin: boolean
}

/** A session as it was just begun or refreshed. The refresh token is known to its owner alone from now on. */
export interface OpenSession {
  readonly user: User
  readonly sessionId: string
  readonly refreshToken: string
}

/** People, and the sessions in which they are signed in. Every call may throw `server.unavailable`. */
export interface Accounts {
  /** Makes an account or a guest, signed in. @throws KlatschError `account.name_taken` */
  create(user: NewUser): Promise<OpenSession>
  /** The account of that name, and the hash of its password. Guests have none. */
  byName(username: string): Promise<{ readonly user: User; readonly passwordHash: string } | undefined>
  byId(id: string): Promise<User | undefined>
  /** Unknown ids are left out. */
  byIds(ids: readonly string[]): Promise<readonly User[]>
  signIn(user: User): Promise<OpenSession>
  /** @throws KlatschError `auth.invalid_token`, `auth.expired`, `auth.refresh_reused` */
  refresh(refreshToken: string, idempotencyKey: string | undefined): Promise<OpenSession>
  signOut(of: { readonly sessionId: string } | { readonly refreshToken: string }): Promise<void>
  /** Whether the session goes on: it was neither revoked nor forgotten. */
  isAlive(sessionId: string): Promise<boolean>
  /** Those of them that go on. */
  alive(sessionIds: readonly string[]): Promise<ReadonlySet<string>>
  /** Sessions revoked since then, the latest first, 100,000 at most. */
  endedSince(then: Date): Promise<readonly string[]>
  /** Sessions that were revoked and of which the user's own stream was not told yet. */
  endsToTell(limit: number): Promise<readonly { readonly sessionId: string; readonly userId: string }[]>
  endsTold(sessionIds: readonly string[]): Promise<void>
  /** Forgets sessions that ended long ago. */
  forgetEnded(): Promise<void>
}

export interface AccountsOptions {
  readonly prisma: PrismaClient
  readonly now: () => number
  /** A UUIDv7. */
  readonly newId: () => string
  /** 32 random bytes, base64url. */
  readonly newSecret: () => string
  /** Sessions were revoked. */
  readonly onRevoked: () => void
}

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('base64url')

/** Sessions that ended are kept so long, to notice tokens that are used again. */
const KEEP_ENDED_MS = 7 * 86_400_000

const MAX_ENDED = 100_000

type UserRow = Prisma.UserModel

export function userOf({ id, username, displayName, guest, admin }: UserRow): User {
  return { id, username, displayName, guest, admin }
}

export function prismaAccounts(options: AccountsOptions): Accounts {
  const { prisma, newId, newSecret } = options
  const now = () => new Date(options.now())

  /** A new session, as rows and as what its owner gets. */
  function newSession(guest: boolean) {
    const sessionId = newId()
    const refreshToken = newSecret()
    const at = now()
    const expiresAt = new Date(at.getTime() + sessionMs(guest))
    const tokens = { create: { hash: hashOf(refreshToken), issuedAt: at } }
    return { sessionId, refreshToken, rows: { id: sessionId, createdAt: at, expiresAt, tokens } }
  }

  async function create({ username, displayName, passwordHash, admin }: NewUser): Promise<OpenSession> {
    const key = nameKey(username)
    const guest = passwordHash === undefined
    const { sessionId, refreshToken, rows } = newSession(guest)
    try {
      const user = await prisma.$transaction(async (tx) => {
        const live = { revokedAt: null, expiresAt: { gt: now() } }
        await tx.user.updateMany({
          where: { nameKey: key, guest: true, sessions: { none: live } },
          data: { nameKey: null },
        })
        return tx.user.create({
          data: {
            id: newId(),
            username,
            nameKey: key,
            displayName,
            passwordHash: passwordHash ?? null,
            guest,
            admin,
            createdAt: now(),
            sessions: { create: rows },
          },
        })
      })
      return { user: userOf(user), sessionId, refreshToken }
    } catch (cause) {
      if (cause instanceof Prisma.PrismaClientKnownRequestError && cause.code === 'P2002') {
        throw new KlatschError('account.name_taken', undefined, { cause })
      }
      throw cause
    }
  }

  async function signIn(user: User): Promise<OpenSession> {
    const { sessionId, refreshToken, rows } = newSession(user.guest)
    await prisma.session.create({ data: { ...rows, userId: user.id } })
    return { user, sessionId, refreshToken }
  }

  async function refresh(given: string, key: string | undefined): Promise<OpenSession> {
    const hash = hashOf(given)
    const answer = await prisma.$transaction(async (tx): Promise<OpenSession | ErrorCode> => {
      await tx.$queryRaw`
        SELECT s.id FROM sessions s JOIN refresh_tokens t ON t.session_id = s.id WHERE t.hash = ${hash} FOR UPDATE OF s`
      const token = await tx.refreshToken.findUnique({
        where: { hash },
        include: { session: { include: { user: true } } },
      })
      if (!token) return 'auth.invalid_token'
      const { session } = token
      const successor =
        token.successor === null
          ? null
          : await tx.refreshToken.findUnique({ where: { hash: token.successor } })
      const state = { ...token, successorUsed: successor?.usedAt != null }
      const decision = decideRefresh(state, session, key, now())
      if (decision.kind === 'refuse') {
        if (decision.revoke && session.revokedAt === null) {
          await tx.session.update({ where: { id: session.id }, data: { revokedAt: now() } })
        }
        return decision.code
      }
      if (decision.kind === 'repeat' && successor) {
        await tx.refreshToken.delete({ where: { hash: successor.hash } })
      }
      const refreshToken = newSecret()
      const nextHash = hashOf(refreshToken)
      await tx.refreshToken.update({
        where: { hash },
        data: { usedAt: now(), exchangeKey: key ?? null, successor: nextHash },
      })
      await tx.refreshToken.create({ data: { hash: nextHash, sessionId: session.id, issuedAt: now() } })
      const expiresAt = new Date(now().getTime() + sessionMs(session.user.guest))
      await tx.session.update({ where: { id: session.id }, data: { expiresAt } })
      return { user: userOf(session.user), sessionId: session.id, refreshToken }
    })
    // Said after the commit: a refusal that revokes must not be undone with its transaction.
    if (answer === 'auth.refresh_reused') options.onRevoked()
    if (typeof answer === 'string') throw new KlatschError(answer)
    return answer
  }

  return {
    create: (user) => answering(create(user)),
    async byName(username) {
      const row = await answering(prisma.user.findUnique({ where: { nameKey: nameKey(username) } }))
      return row?.passwordHash == null ? undefined : { user: userOf(row), passwordHash: row.passwordHash }
    },
    async byId(id) {
      const row = await answering(prisma.user.findUnique({ where: { id } }))
      return row ? userOf(row) : undefined
    },
    async byIds(ids) {
      const rows = await answering(prisma.user.findMany({ where: { id: { in: [...ids] } } }))
      return rows.map(userOf)
    },
    signIn: (user) => answering(signIn(user)),
    refresh: (token, key) => answering(refresh(token, key)),
    async signOut(of) {
      const which =
        'sessionId' in of ? { id: of.sessionId } : { tokens: { some: { hash: hashOf(of.refreshToken) } } }
      const revoke = prisma.session.updateMany({
        where: { ...which, revokedAt: null },
        data: { revokedAt: now() },
      })
      await answering(revoke)
      options.onRevoked()
    },
    async isAlive(id) {
      const row = await answering(prisma.session.findUnique({ where: { id }, select: { revokedAt: true } }))
      return row?.revokedAt === null
    },
    async alive(ids) {
      if (ids.length === 0) return new Set()
      const where = { id: { in: [...ids] }, revokedAt: null }
      const rows = await answering(prisma.session.findMany({ where, select: { id: true } }))
      return new Set(rows.map(({ id }) => id))
    },
    async endedSince(then) {
      const rows = await answering(
        prisma.session.findMany({
          where: { revokedAt: { gt: then } },
          orderBy: { revokedAt: 'desc' },
          select: { id: true },
          take: MAX_ENDED,
        }),
      )
      return rows.map(({ id }) => id)
    },
    async endsToTell(limit) {
      const rows = await answering(
        prisma.session.findMany({
          where: { revokedAt: { not: null }, endToldAt: null },
          select: { id: true, userId: true },
          take: limit,
        }),
      )
      return rows.map(({ id, userId }) => ({ sessionId: id, userId }))
    },
    async endsTold(ids) {
      const told = { where: { id: { in: [...ids] } }, data: { endToldAt: now() } }
      await answering(prisma.session.updateMany(told))
    },
    async forgetEnded() {
      const before = new Date(now().getTime() - KEEP_ENDED_MS)
      const ended = { OR: [{ expiresAt: { lt: before } }, { revokedAt: { lt: before } }] }
      await answering(
        prisma.$transaction([
          prisma.refreshToken.deleteMany({ where: { session: ended } }),
          prisma.session.deleteMany({ where: ended }),
        ]),
      )
    },
  }
}
