import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Problem, sessionSchema } from '@klatsch/contracts'
import { type Credentials, knownAccounts } from '@klatsch/local-stack'
import type { ZodType, z } from 'zod'
import { CliError, dataDirOf, runningStack } from './stack.ts'

const ANSWER_MS = 60_000
const AWAY = 503
const STATUS_MS = 10_000
const AGAIN_MS = 500
/** Just after an outage it may take a while until people can sign in. */
const LOGIN_MS = 10_000

/** The laboratory behind a gateway. Every call throws CliError with what the server has against it. */
export interface Laboratory {
  get<S extends ZodType>(path: string, query: object, answer: S): Promise<z.output<S>>
  post<S extends ZodType>(path: string, body: object, answer: S): Promise<z.output<S>>
  remove<S extends ZodType>(path: string, answer: S): Promise<z.output<S>>
}

/**
 * Signs in as an administrator: with KLATSCH_TOKEN, as the demo administrator of the running local stack, or, where
 * KLATSCH_URL names another, by asking for name and password.
 */
export async function laboratory(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<Laboratory> {
  const base = env.KLATSCH_URL || runningStack(env).url
  const token = env.KLATSCH_TOKEN || (await login(base, await credentials(env), signal))

  async function ask<S extends ZodType>(method: string, path: string, body: object | undefined, answer: S) {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(body ? { 'content-type': 'application/json' } : {}),
    }
    const request = { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) }
    // What calls something off is not itself called off.
    const until = method === 'DELETE' ? new AbortController().signal : signal
    return answer.parse(await call(`${base}/api/lab${path}`, request, until))
  }

  return {
    get: (path, query, answer) => ask('GET', `${path}${searchOf(query)}`, undefined, answer),
    post: (path, body, answer) => ask('POST', path, body, answer),
    remove: (path, answer) => ask('DELETE', path, undefined, answer),
  }
}

function searchOf(query: object): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined)
  return given.length === 0
    ? ''
    : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`
}

/** `patienceMs`: for so long it is asked again when a part of the server is away. */
async function call(
  url: string,
  request: RequestInit,
  signal: AbortSignal,
  patienceMs = 0,
): Promise<unknown> {
  let answer: Response
  try {
    answer = await fetch(url, {
      ...request,
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
    })
    if (answer.status === AWAY && patienceMs > 0) {
      await sleep(AGAIN_MS, undefined, { signal })
      return await call(url, request, signal, patienceMs - AGAIN_MS)
    }
  } catch (cause) {
    if (signal.aborted || cause instanceof CliError) throw cause
    throw new CliError(`${new URL(url).origin} does not answer.`, { cause })
  }
  const body = await answer.json().catch(() => undefined)
  if (answer.ok) return body
  const problem = body as Partial<Problem> | undefined
  if (
    problem?.code === 'request.not_found' &&
    url.includes('/api/lab/') &&
    problem.detail === problem.title
  ) {
    throw new CliError(`there is no laboratory at ${new URL(url).origin}: LAB_ENABLED=true switches it on.`)
  }
  throw new CliError(
    `${problem?.detail ?? `the server answered ${answer.status}`} (${problem?.code ?? answer.status})`,
  )
}

/** What it answers there; undefined: nothing. */
export async function statusOf(url: string, token?: string): Promise<number | undefined> {
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {}
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(STATUS_MS) }).catch(() => undefined)
  await answer?.body?.cancel()
  return answer?.status
}

/** Of an administrator there: KLATSCH_TOKEN, or asked for where there is somebody to ask; else undefined. */
export async function tokenAt(
  base: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (env.KLATSCH_TOKEN) return env.KLATSCH_TOKEN
  return process.stdin.isTTY ? login(base, await ask(), signal) : undefined
}

async function login(base: string, account: Credentials, signal: AbortSignal): Promise<string> {
  const request = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(account),
  }
  const { user, accessToken } = sessionSchema.parse(
    await call(`${base}/api/auth/login`, request, signal, LOGIN_MS),
  )
  if (!user.admin) throw new CliError(`${user.username} is no administrator.`)
  return accessToken
}

async function credentials(env: NodeJS.ProcessEnv): Promise<Credentials> {
  const known = env.KLATSCH_URL ? [] : knownAccounts(dataDirOf(env))
  if (known[0]) return known[0]
  if (!process.stdin.isTTY) throw new CliError('set KLATSCH_TOKEN to the access token of an administrator.')
  return ask()
}

/** On the error stream, so that the output can go into a file; the password is not shown. */
async function ask(): Promise<Credentials> {
  let hidden = false
  const output = new Writable({
    write(chunk, _encoding, done) {
      if (!hidden) process.stderr.write(chunk)
      done()
    },
  })
  const lines = createInterface({ input: process.stdin, output, terminal: true })
  try {
    const username = await lines.question('Administrator: ')
    const password = lines.question('Password: ')
    hidden = true
    return { username, password: await password }
  } finally {
    lines.close()
    process.stderr.write('\n')
  }
}
