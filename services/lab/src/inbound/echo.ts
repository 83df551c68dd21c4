import {
  KlatschError,
  type LabEcho,
  type LabEchoChange,
  type LabRedrive,
  type LabRedrivePlan,
  type RetryPolicy,
  retryTiersOf,
  topics,
} from '@klatsch/contracts'
import {
  type AttemptLog,
  type BlockedKey,
  type Consumer,
  type EventBus,
  type IncomingRecord,
  type Publisher,
  parking,
  policySwitch,
  type Selection,
} from '@klatsch/event-bus'
import type pg from 'pg'
import { applied, missingIn } from '../domain/echo.ts'
import { listRooms, loadRooms, saveRooms } from '../outbound/echo-rooms.ts'
import { postgresParkedStore } from '../outbound/parked-store.ts'
import type { Tx } from '../outbound/transactions.ts'
import { decodeEcho } from './decode-echo.ts'

const SHOWN_ROOMS = 100

export const echoPolicy: RetryPolicy = {
  kind: 'park',
  backoff: { kind: 'full-jitter', baseMs: 50, capMs: 5_000 },
  ownAttempts: 3,
  passingAttempts: 'forever',
}

export interface Echo {
  /** With the rooms that have the most messages, or this one alone. */
  status(room?: string): Promise<LabEcho>
  /** @throws KlatschError `request.invalid` */
  change(change: LabEchoChange): Promise<void>
  plan(selection: Selection): Promise<LabRedrivePlan>
  /** Begins a redrive. @throws KlatschError `request.invalid` when one is under way. */
  redrive(selection: Selection, perSecond: number): LabRedrive
  /** Stops the redrive under way, if there is one, after its present transaction. */
  cancel(): void
  close(): Promise<void>
}

/** What the echo fails at, when somebody told it to. */
class Poisoned extends Error {
  override readonly name = 'Poisoned'
  readonly code = 'lab.poison'
}

export interface EchoOptions {
  readonly bus: EventBus
  readonly pool: pg.Pool
  readonly attempts: AttemptLog
  readonly deadLetters: Publisher
  /** Tests have a log of their own; people have `chat.events`. */
  readonly group?: string
  readonly topic?: string
  readonly tiers?: ReturnType<typeof retryTiersOf>
}

/** The consumer on which retry policies are studied: counts per room and the last text, in the schema `lab`. */
export function echo(options: EchoOptions): Echo {
  const { bus, pool, attempts, deadLetters, group = 'lab.echo', topic = topics.events.name } = options
  const policy = policySwitch(echoPolicy, ['block', 'park', 'skip', 'tiers'])
  let poison: string | undefined
  let consumer: Consumer | undefined
  let last: { readonly shown: LabRedrive; readonly cancel: AbortController } | undefined
  let running = Promise.resolve()

  async function handle(records: readonly IncomingRecord[], tx: Tx): Promise<void> {
    const events = records.flatMap((record) => decodeEcho(record) ?? [])
    if (events.length === 0) return
    const rooms = await loadRooms(tx, [...new Set(events.map(({ room }) => room))].sort())
    for (const event of events) {
      if (poison !== undefined && event.text?.includes(poison)) throw new Poisoned('told not to take it')
      rooms.set(event.room, applied(rooms.get(event.room)!, event))
    }
    await saveRooms(tx, [...rooms.values()])
  }

  const store = postgresParkedStore(pool, group)
  const parked = parking({ group, store, handle, attempts })

  async function start(): Promise<void> {
    if (consumer?.state.kind === 'stopped') await stop()
    consumer ??= await bus.consume({
      ...{ group, topics: [topic], start: 'committed', handler: parked.handler },
      ...{
        policy,
        tiers: options.tiers ?? retryTiersOf(group),
        parking: parked.space,
        attempts,
        deadLetters,
      },
    })
  }

  async function stop(): Promise<void> {
    const ending = consumer
    consumer = undefined
    await ending?.close()
  }

  function state(): Pick<LabEcho, 'state' | 'reason' | 'lag'> {
    if (!consumer) return { state: 'off' }
    const { state: now, lag } = consumer
    return {
      state: now.kind,
      ...('reason' in now && { reason: now.reason }),
      ...(lag !== undefined && { lag }),
    }
  }

  function begin(selection: Selection, perSecond: number): LabRedrive {
    if (last?.shown.state === 'running') throw new KlatschError('request.invalid', 'a redrive is under way')
    const cancel = new AbortController()
    const show = (shown: LabRedrive) => {
      last = { shown, cancel }
      return shown
    }
    const shown: LabRedrive = { state: 'running', handled: 0, freed: [], failed: [], perSecond }
    const onProgress = (handled: number) => void show({ ...shown, handled })
    running = parked.redrive(selection, { perSecond, signal: cancel.signal, onProgress }).then(
      ({ handled, freed, failed, cancelled }) => {
        const state = cancelled ? 'cancelled' : 'done'
        show({ state, handled, freed: [...freed], failed: [...failed], perSecond })
      },
      () => void show({ ...(last?.shown ?? shown), state: 'broken' }),
    )
    return show(shown)
  }

  return {
    async status(room) {
      const [blocked, rooms] = await Promise.all([store.keys(), listRooms(pool, SHOWN_ROOMS, room)])
      return {
        ...state(),
        policy: policy.current,
        ...(poison !== undefined && { poison }),
        blocked: blocked.map(shownKey),
        ...(last && { redrive: last.shown }),
        rooms: rooms.map(({ seen, lastText, ...room }) => ({
          ...room,
          ...(lastText !== undefined && { lastText }),
          missing: missingIn({ ...room, seen, lastText }),
        })),
      }
    },
    async change(change) {
      if (change.policy) policy.set(change.policy)
      if (change.poison !== undefined) poison = change.poison ?? undefined
      if (change.running === true) await start()
      if (change.running === false) await stop()
    },
    async plan(selection) {
      const { keys, records } = await parked.plan(selection)
      return { keys: keys.map((key) => ({ ...shownKey(key), take: key.take })), records }
    },
    redrive: begin,
    cancel: () => last?.cancel.abort(),
    async close() {
      last?.cancel.abort()
      await running
      await stop()
    },
  }
}

const shownKey = ({ key, code, error, attempts, since, records, next }: BlockedKey) => ({
  ...{ key, code, error, attempts, records, since: since.toISOString() },
  next: { topic: next.topic, partition: next.partition, offset: next.offset },
})
