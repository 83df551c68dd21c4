import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inject } from 'vitest'
import { type Answer, call } from './people.ts'

/** The administrator that the local stack made, or nobody where the stack is another. */
async function administratorToken(): Promise<string> {
  const { dataDir } = inject('stack')
  const [{ username, password }] = JSON.parse(readFileSync(join(dataDir, 'demo-accounts.json'), 'utf8'))
  const { body } = await call('POST', '/api/auth/login', { body: { username, password } })
  return body.accessToken
}

/** Asks the laboratory, as an administrator, by way of the gateway. */
export type AskLab = (path: string, options?: { method?: string; body?: unknown }) => Promise<Answer>

export async function laboratory(): Promise<AskLab> {
  const token = await administratorToken()
  return (path, { method = 'GET', body } = {}) => call(method, `/api/lab${path}`, { token, body })
}
