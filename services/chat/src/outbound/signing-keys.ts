import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import type { Prisma } from '../../generated/prisma/client.ts'
import type { PrismaClient } from './prisma.ts'

export interface SigningKeys {
  /** What access tokens are signed with. */
  readonly current: { readonly kid: string; readonly privateKey: CryptoKey }
  /** Everything they may have been signed with, as JWKs. */
  readonly publicJwks: readonly JWK[]
}

/** Any number; the same for every process that looks for keys. */
const LOCK = 7_305_119

/** The key pairs of this installation; the first process ever makes one, and processes that start at once wait. */
export async function signingKeys(prisma: PrismaClient, now: Date): Promise<SigningKeys> {
  const rows = await prisma.$transaction(async (tx) => {
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(${LOCK}::bigint)`
    const existing = await tx.signingKey.findMany({ orderBy: { createdAt: 'desc' } })
    if (existing.length > 0) return existing
    const made = await newKey()
    return [
      await tx.signingKey.create({
        data: {
          kid: made.kid,
          privateJwk: made.privateJwk as Prisma.InputJsonObject,
          publicJwk: made.publicJwk as Prisma.InputJsonObject,
          createdAt: now,
        },
      }),
    ]
  })
  const [newest] = rows
  if (!newest) throw new Error('no signing key')
  const privateKey = await importJWK(newest.privateJwk as JWK, 'EdDSA')
  if (privateKey instanceof Uint8Array) throw new Error('the signing key is not a key pair')
  return {
    current: { kid: newest.kid, privateKey },
    publicJwks: rows.map(({ kid, publicJwk }) => ({ ...(publicJwk as JWK), kid, alg: 'EdDSA', use: 'sig' })),
  }
}

async function newKey() {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const publicJwk = await exportJWK(publicKey)
  return {
    kid: await calculateJwkThumbprint(publicJwk),
    privateJwk: await exportJWK(privateKey),
    publicJwk,
  }
}
