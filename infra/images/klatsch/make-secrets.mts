// make-secrets: the one-shot of the compose stack that makes its secrets, each in the folder (a volume)
// of those who read it. What is there already stays as it is, so every start may run it.
import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'

/** Readable by the owner and the group (the database runs as another user, in this group), by nobody else. */
const MODE = 0o440

/** The content of the file; `make`s it first when there is none. A reader never sees half of it. */
function secret(path: string, make: () => string): string {
  try {
    return readFileSync(path, 'utf8').trimEnd()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const value = make()
  const half = `${path}.new`
  rmSync(half, { force: true })
  const file = openSync(half, 'wx', MODE)
  writeSync(file, `${value}\n`)
  fsyncSync(file)
  closeSync(file)
  renameSync(half, path)
  console.log(`made ${path}`)
  return value
}

const random = () => randomBytes(32).toString('base64url')

process.umask(0)
secret('/secrets/postgres/superuser-password', random)
const password = secret('/secrets/postgres/klatsch-password', random)
// Klatsch owns its database, and is no superuser.
secret(
  '/secrets/postgres/create-role.sql',
  () => `CREATE ROLE klatsch LOGIN PASSWORD '${password}';\nCREATE DATABASE klatsch OWNER klatsch;`,
)
secret('/secrets/chat/database-url', () => `postgres://klatsch:${password}@postgres:5432/klatsch`)
secret('/secrets/internal/token', random)
