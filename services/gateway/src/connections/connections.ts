import { closeCodes, userSubject } from '@klatsch/contracts'
import { pause } from '@klatsch/streams'
import { Connection } from './connection.ts'
import type { ConnectionContext, Transport } from './context.ts'
import { Backlog } from './outgoing.ts'

const TICK_MS = 2_000
/** Parts of the time for a drain: until it is first asked whether people leave, how often after that, and at most. */
const UNDISTURBED_PART = 0.4
const LEAVING_PART = 0.5
const LEAVING_ROUNDS = 3
/** The part in which those who stayed are closed. */
const CLOSING_PART = 0.1

export interface Connections {
  readonly size: number
  readonly users: number
  /** Hellos refused for the moment. */
  readonly refused: number
  /** Bytes that wait for readers who are slow to take them. */
  readonly backlog: number
  add(transport: Transport): Connection
  remove(connection: Connection): void
  /** This session of the user's has ended: cuts its sockets. */
  endSession(userId: string, session: string): void
  /**
   * Asks all to go elsewhere, one after another in the first third of `withinMs`. Those that are still here near its end
   * are closed, one after another; as long as others still leave they are on their way too, and it waits on, up to twice
   * `withinMs` in all. Resolves when the last one has gone; `hurry` closes all at once.
   */
  drain(withinMs: number, hurry?: AbortSignal): Promise<void>
}

/** All sockets of this gateway. One timer looks after all of them; each is written to once a turn. */
export function createConnections(
  context: Omit<ConnectionContext, 'writeLater' | 'backlog' | 'hellos'>,
  atEndOfTurn: (task: () => void) => void,
): Connections {
  const { hub, scheduler } = context
  const all = new Set<Connection>()
  let toWrite: Connection[] = []
  let drainingUntil: number | undefined
  let left = 0
  let gone = () => {}

  const shared: ConnectionContext = {
    ...context,
    backlog: new Backlog(),
    hellos: { refused: 0 },
    writeLater(connection) {
      toWrite.push(connection)
      if (toWrite.length > 1) return
      atEndOfTurn(() => {
        const writing = toWrite
        toWrite = []
        for (const each of writing) each.write()
      })
    },
  }

  let cancelTick = scheduler.after(TICK_MS, tick)
  function tick(): void {
    const now = scheduler.now()
    for (const connection of all) connection.tick(now)
    cancelTick = scheduler.after(TICK_MS, tick)
  }

  const close = (connection: Connection) => connection.close(closeCodes.restarting, 'restarting')

  /** Does so to everyone who is here, evenly over so long. */
  function oneAfterAnother(overMs: number, what: (connection: Connection) => void): void {
    const stepMs = overMs / all.size
    let index = 0
    for (const connection of all) scheduler.after(stepMs * index++, () => what(connection))
  }

  return {
    get size() {
      return all.size
    },
    get users() {
      return hub.users.size
    },
    get refused() {
      return shared.hellos.refused
    },
    get backlog() {
      return shared.backlog.bytes
    },
    add(transport) {
      const connection = new Connection(shared, transport)
      all.add(connection)
      if (drainingUntil !== undefined) connection.goAway(drainingUntil)
      return connection
    },
    remove(connection) {
      connection.gone()
      all.delete(connection)
      left += 1
      if (all.size === 0) gone()
    },
    endSession(userId, session) {
      for (const socket of [...hub.users.of(userSubject(userId))]) socket.endSession(session)
    },
    async drain(withinMs, hurry) {
      const until = scheduler.now() + (UNDISTURBED_PART + LEAVING_PART) * withinMs
      drainingUntil = until
      const empty = new Promise<void>((resolve) => {
        gone = resolve
      })
      const someTime = (part: number) => Promise.race([empty, pause(scheduler, part * withinMs, hurry)])
      const waitsOn = () => all.size > 0 && !hurry?.aborted
      oneAfterAnother(withinMs / 3, (connection) => connection.goAway(until))
      if (waitsOn()) await someTime(UNDISTURBED_PART)
      for (let round = 0, before = -1; round < LEAVING_ROUNDS && waitsOn() && left > before; round += 1) {
        before = left
        await someTime(LEAVING_PART)
      }
      if (waitsOn()) {
        oneAfterAnother(CLOSING_PART * withinMs, close)
        await someTime(CLOSING_PART)
      }
      cancelTick()
      for (const connection of all) close(connection)
    },
  }
}
