import { closeCodes } from '@klatsch/contracts'
import { Connection } from './connection.ts'
import type { ConnectionContext, Transport } from './context.ts'

const TICK_MS = 2_000

export interface Connections {
  readonly size: number
  readonly users: number
  add(transport: Transport): Connection
  remove(connection: Connection): void
  /** Tells everyone to go elsewhere, then closes all, spread over `withinMs`. */
  drain(withinMs: number): Promise<void>
}

/** All sockets of this gateway. One timer looks after all of them; each is written to once a turn. */
export function createConnections(
  context: Omit<ConnectionContext, 'users' | 'writeLater'>,
  atEndOfTurn: (task: () => void) => void,
): Connections {
  const { scheduler } = context
  const all = new Set<Connection>()
  const users: ConnectionContext['users'] = new Map()
  let toWrite: Connection[] = []
  let draining = false

  const shared: ConnectionContext = {
    ...context,
    users,
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

  return {
    get size() {
      return all.size
    },
    get users() {
      return users.size
    },
    add(transport) {
      const connection = new Connection(shared, transport)
      all.add(connection)
      if (draining) connection.close(closeCodes.restarting, 'restarting')
      return connection
    },
    remove(connection) {
      connection.gone()
      all.delete(connection)
    },
    async drain(withinMs) {
      draining = true
      cancelTick()
      const leaving = [...all]
      for (const connection of leaving) connection.goAway(withinMs)
      await Promise.all(
        leaving.map(
          (connection, index) =>
            new Promise<void>((resolve) => {
              scheduler.after(((index + 1) / leaving.length) * withinMs, () => {
                connection.close(closeCodes.restarting, 'restarting')
                resolve()
              })
            }),
        ),
      )
    },
  }
}
