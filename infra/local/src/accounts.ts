import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Problem } from './problem.ts'

export interface DemoAccount {
  readonly username: string
  readonly password: string
  readonly role: 'administrator' | 'member'
  /** Whether the password opens it: not so when an account of that name was there before. */
  readonly usable: boolean
}

export type Credentials = Pick<DemoAccount, 'username' | 'password'>

const HTTP_MS = 15_000

const fileOf = (dataDir: string): string => join(dataDir, 'demo-accounts.json')

/** The demo accounts of a data folder, the administrator first; none before its first start. */
export function knownAccounts(dataDir: string): Credentials[] {
  const file = fileOf(dataDir)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []
}

/**
 * Makes two accounts to try the chat with, the first of them an administrator (chat makes the one of that name so).
 * Their passwords are made once and kept in the data folder.
 */
export async function demoAccounts(dataDir: string, chatUrl: string, admin: string): Promise<DemoAccount[]> {
  const file = fileOf(dataDir)
  const known = knownAccounts(dataDir)
  const wanted = [admin, admin === 'ben' ? 'ada' : 'ben'].map(
    (username): Credentials =>
      known.find((account) => account.username === username) ?? {
        username,
        password: randomBytes(9).toString('base64url'),
      },
  )
  // Kept before they are used: a crash between must not leave an account whose password nobody knows.
  writeFileSync(file, `${JSON.stringify(wanted, null, 2)}\n`, { mode: 0o600 })
  return Promise.all(
    wanted.map(async (account, index) => ({
      ...account,
      role: index === 0 ? 'administrator' : 'member',
      usable: (await register(chatUrl, account)) || (await login(chatUrl, account)),
    })),
  )
}

/** False when the name is taken. */
async function register(chatUrl: string, account: Credentials): Promise<boolean> {
  const answer = await post(`${chatUrl}/api/auth/register`, account)
  if (answer.ok || answer.status === 409) return answer.ok
  throw new Problem(
    `The demo account "${account.username}" could not be made: chat answered ${answer.status} ${await answer.text()}`,
  )
}

const login = async (chatUrl: string, account: Credentials): Promise<boolean> =>
  (await post(`${chatUrl}/api/auth/login`, account)).ok

const post = (url: string, { username, password }: Credentials): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, password }),
    signal: AbortSignal.timeout(HTTP_MS),
  })
