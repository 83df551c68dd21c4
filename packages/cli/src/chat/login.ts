import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { type Api, createApi, createSession, type SessionKeeper } from '@klatsch/client'
import { KlatschError, type Room, roomSubject, type User } from '@klatsch/contracts'
import { CliError } from '../stack.ts'
import { oneLine } from './text.ts'

export interface Entry {
  readonly api: Api
  readonly session: SessionKeeper
  readonly me: User
}

export interface Credentials {
  readonly name?: string
  readonly user?: string
  readonly password?: string
}

/** Asks the person at the terminal; `hidden` shows nothing of the answer. Rejects when there is nobody to ask. */
export type Ask = (question: string, hidden?: boolean) => Promise<string>

/** In as a guest, or with an account. @throws CliError when the server refuses or is not there. */
export async function logIn(
  baseUrl: string,
  { name, user, password }: Credentials,
  ask: Ask,
): Promise<Entry> {
  const api: Api = createApi({ baseUrl, token: (stale) => session.token(stale) })
  const session: SessionKeeper = createSession(api)
  try {
    const started =
      user === undefined
        ? await api.guest({ username: name ?? (await ask('Your name: ')) })
        : await api.login({
            username: user,
            password: password ?? (await ask(`Password of ${oneLine(user)}: `, true)),
          })
    session.start(started)
    return { api, session, me: started.user }
  } catch (error) {
    if (!(error instanceof KlatschError)) throw error
    if (error.code === 'server.unavailable' || error.code === 'server.timeout')
      throw new CliError(
        `nothing answers at ${baseUrl}. Start it with "npm start", or name another with --url.`,
      )
    throw new CliError(oneLine(error.message))
  }
}

/** Asks on standard error, so that standard output carries the chat alone. */
export function askAt(input: NodeJS.ReadStream, output: NodeJS.WriteStream, signal: AbortSignal): Ask {
  return async (question, hidden = false) => {
    if (!input.isTTY) {
      const how = hidden ? 'set KLATSCH_PASSWORD' : 'use --name or --user'
      throw new CliError(`there is no terminal to ask "${question.trim()}" at: ${how}.`)
    }
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
    const lines = createInterface({ input, output: hidden ? nowhere : output, terminal: true })
    try {
      if (hidden) output.write(question)
      return (await lines.question(hidden ? '' : question, { signal })).trim()
    } catch (cause) {
      throw new CliError('nobody came in.', { cause })
    } finally {
      if (hidden) output.write('\n')
      lines.close()
    }
  }
}

/**
 * The room of this name or id, joined when one is not in it yet. Without a name, the room that everyone shares.
 * @throws CliError when there is none, or several.
 */
export async function enterRoom(api: Api, name: string | undefined): Promise<Room> {
  try {
    const room = name === undefined ? await api.room('global') : await findRoom(api, name)
    if (!room.member) await api.join(room.id)
    return room
  } catch (error) {
    throw error instanceof KlatschError ? new CliError(oneLine(error.message), { cause: error }) : error
  }
}

async function findRoom(api: Api, name: string): Promise<Room> {
  const wanted = name.trim().toLocaleLowerCase()
  const id = wanted.replace(/^room:/, '')
  const seen = new Map<string, Room>()
  for (const scope of ['mine', 'public'] as const) {
    const rooms = await allRooms(api, scope)
    const exact = rooms.find((room) => room.id === id)
    if (exact) return exact
    for (const room of rooms) if (room.name.toLocaleLowerCase() === wanted) seen.set(room.id, room)
    // One's own room goes before another one of the same name.
    if (seen.size > 0) break
  }
  const [found, ...others] = seen.values()
  if (!found) throw new CliError(`there is no room called "${oneLine(name)}" that you may see.`)
  if (others.length === 0) return found
  const ids = [found, ...others].map((room) => roomSubject(room.id)).join(', ')
  throw new CliError(`several rooms are called "${oneLine(name)}"; name one by its id: ${ids}.`)
}

export async function allRooms(api: Api, scope: 'mine' | 'public'): Promise<readonly Room[]> {
  const rooms: Room[] = []
  for (let after: string | undefined; ; ) {
    const { items, next } = await api.rooms(scope, { limit: 200, ...(after === undefined ? {} : { after }) })
    rooms.push(...items)
    if (next === undefined || items.length === 0) return rooms
    after = String(next)
  }
}

/** `http://host:port` → where its socket is. @throws CliError when that is no address. */
export function socketUrl(baseUrl: string): string {
  const url = URL.parse(baseUrl)
  if (!url || !/^https?:$/.test(url.protocol)) throw new CliError(`--url "${baseUrl}" is no http address.`)
  return `${url.origin.replace(/^http/, 'ws')}/ws`
}
