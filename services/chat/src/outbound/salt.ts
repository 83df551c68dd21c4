import { randomFillSync } from 'node:crypto'

const SALT_BYTES = 16
const pool = Buffer.alloc(SALT_BYTES * 256)
let at = pool.length

/** 16 random bytes, base64url. Drawn from the system in blocks, because an event needs one each. */
export function newSalt(): string {
  if (at === pool.length) {
    randomFillSync(pool)
    at = 0
  }
  const salt = pool.toString('base64url', at, at + SALT_BYTES)
  at += SALT_BYTES
  return salt
}
