import { closeCodes, userSubject } from '@klatsch/contracts'
import { pause } from '@klatsch/streams'
import { Connection } from './connection.ts'
import type { ConnectionContext, Transport } from './context.ts'
import { Backlog } from './outgoing.ts'

const TICK_MS = 2_000

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
   * Asks all to go elsewhere, one after another in the first third of `withinMs`; those that did not are closed in its
   * last tenth, in the same order. Resolves when the last one has gone; `hurry` closes all at once.
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
  function sendAway(connection: Connection, askMs: number, closeMs: number): void {
    scheduler.after(askMs, () => connection.goAway(closeMs - askMs))
    scheduler.after(closeMs, () => close(connection))
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
      if (drainingUntil !== undefined) sendAway(connection, 0, drainingUntil - scheduler.now())
      return connection
    },
    remove(connection) {
      connection.gone()
      all.delete(connection)
      if (all.size === 0) gone()
    },
    endSession(userId, session) {
      for (const socket of [...hub.users.of(userSubject(userId))]) socket.endSession(session)
    },
    async drain(withinMs, hurry) {
      drainingUntil = scheduler.now() + withinMs
      const empty = new Promise<void>((resolve) => {
        gone = resolve
      })
      const step = withinMs / all.size
      let index = 0
      for (const connection of all) {
        const afterMs = step * index++
        sendAway(connection, afterMs / 3, 0.9 * withinMs + afterMs / 10)
      }
      if (all.size > 0) await Promise.race([empty, pause(scheduler, withinMs, hurry)])
      cancelTick()
      for (const connection of all) close(connection)
    },
  }
}
