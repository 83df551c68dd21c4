import { type Context, type Figure, type Row, row } from '../figure.ts'
import type { BareWsCalls } from '../floors/bare-ws.ts'
import type { Herd } from '../load/herd.ts'
import type { LatencyLoad } from '../load/latency.ts'
import type { LoadCalls } from '../load/main.ts'
import { makePeople, makeRooms, type Room } from '../people.ts'
import { type BenchProcess, startProcess } from '../processes.ts'
import { percentile } from '../statistics.ts'
import type { Usage } from '../usage.ts'
import { CORE, placesOf, shareOfCore, withServersPinned } from './common.ts'

const SOCKETS = 500
const SLOW = 100
const PER_SECOND = 50
/** Long messages, so that what the kernel takes for a socket that nobody reads is soon full. */
const TEXT = 'A long one. '.repeat(250)
const EVENT_BYTES = TEXT.length + 750
const SAMPLE_MS = 500
const BEFORE_MS = 8_000

interface Measured {
  /** p99 of send → seen of those who read, before and while the others do not. */
  readonly beforeMs: number
  readonly meanwhileMs: number
  /** Resident memory above what it was when they stopped reading, every half a second. */
  readonly memoryMb: readonly number[]
  readonly wholeS: number
  /** Events missed, doubled and the like by those who stopped reading. */
  readonly wrong: number
  readonly loadPercent: number
}

export const slow: Figure = {
  name: 'slow',
  describe: `${SLOW} of ${SOCKETS} sockets of a busy room stop reading for a minute: memory, the others, and what they have in the end`,
  async measure(context) {
    const stack = await context.stack()
    const { dir, profileDir, quick } = context
    const chat = await stack.startChat({ core: CORE.rest, profileDir })
    const people = await makePeople(stack, SOCKETS)
    const [room] = (await makeRooms(stack, [people])) as [Room]
    const load = startProcess<LoadCalls>(new URL('../load/main.ts', import.meta.url), {
      name: 'load',
      dir,
      core: CORE.rest,
    })
    const stalledMs = quick ? 20_000 : 60_000
    const readers = Array.from({ length: SOCKETS - SLOW }, (_, index) => index)
    const talk: LatencyLoad = { perSecond: PER_SECOND, warmMs: 1_000, ms: BEFORE_MS, text: TEXT }
    const seen = async (load: BenchProcess<LoadCalls>, how: LatencyLoad) => {
      const rooms = [{ subject: room.subject, sockets: readers }]
      return percentile((await load.call('latencies', { group: 'readers', rooms, load: how })).seen, 0.99)
    }

    /** `whole`: waits until those who had stopped have everything. */
    async function measure(
      server: BenchProcess,
      how: LatencyLoad,
      whole: () => Promise<Pick<Measured, 'wholeS' | 'wrong'>>,
    ) {
      const beforeMs = await seen(load, how)
      const base = (await server.usage(true)).rss
      const memoryMb: number[] = []
      const sampler = setInterval(() => {
        const note = ({ rss }: Usage) => memoryMb.push((rss - base) / 2 ** 20)
        // One that has ended is noticed by whoever waits for what it does.
        void server.usage().then(note, () => {})
      }, SAMPLE_MS)
      try {
        await load.call('stall', { name: 'slow', stalled: true })
        const { result: meanwhileMs, percent: loadPercent } = await shareOfCore(load, () =>
          seen(load, { ...how, warmMs: 0, ms: stalledMs }),
        )
        await load.call('stall', { name: 'slow', stalled: false })
        return { beforeMs, meanwhileMs, memoryMb, loadPercent, ...(await whole()) }
      } finally {
        clearInterval(sampler)
        await load.call('close', { group: 'readers' })
        await load.call('scatter', { name: 'slow' })
      }
    }

    async function bareMeasured(): Promise<Measured> {
      const bare = startProcess<BareWsCalls>(new URL('../floors/bare-ws.ts', import.meta.url), {
        name: 'bare-ws',
        dir,
        core: CORE.server,
      })
      const port = await bare.call('port')
      const paths = Array.from({ length: SLOW }, () => '/0')
      await load.call('gather', { name: 'slow', port, herd: { kind: 'bare', paths, frames: 0 }, atATime: 50 })
      await load.call('open', { group: 'readers', port, seats: readers.map(() => ({ path: '/0' })) })
      const how = { ...talk, relayedBytes: EVENT_BYTES }
      const result = await measure(bare, how, async () => ({ wholeS: Number.NaN, wrong: 0 }))
      await bare.stop()
      return result
    }

    async function ourMeasured(): Promise<Measured> {
      const gateway = await stack.startGateway(chat, { core: CORE.server, profileDir })
      const { port } = gateway
      const tokens = people.slice(0, SLOW).map(({ token }) => token)
      const herd: Herd = { kind: 'people', tokens, heals: 'all' }
      await load.call('gather', { name: 'slow', port, herd, atATime: 50 })
      await load.call('open', {
        group: 'readers',
        port,
        seats: people
          .slice(SLOW)
          .map(({ token }) => ({ path: '/ws', hello: { token, follow: 'all' as const } })),
      })
      const result = await measure(gateway.process, talk, async () => {
        const heads = (await placesOf(stack, [room])).map(({ subject, seq }) => [subject, seq])
        await load.call('brace', { name: 'slow', targets: Object.fromEntries(heads) })
        const { ms, found } = await load.call('whole', { name: 'slow' })
        context.say(`slow: ${JSON.stringify(found)}`)
        const wrong = found.doubled + found.lost + found.forked + found.failed
        return { wholeS: Math.max(...ms) / 1_000, wrong }
      })
      await gateway.process.stop()
      return result
    }

    try {
      const ours: Measured[] = []
      const floor: Measured[] = []
      await withServersPinned(stack, async () => {
        floor.push(await bareMeasured())
        ours.push(await ourMeasured())
      })
      return rowsOf(context, ours, floor)
    } finally {
      for (const each of [load, chat.process]) await each.stop()
    }
  },
}

function rowsOf({ say }: Context, ours: readonly Measured[], floor: readonly Measured[]): Row[] {
  for (const { memoryMb } of ours) say(`slow: MB above the beginning: ${memoryMb.map(Math.round).join(' ')}`)
  const against = 'bare ws, which sends on and on'
  const peak = ({ memoryMb }: Measured) => Math.max(...memoryMb)
  const values = (of: (measured: Measured) => number) => [ours.map(of), floor.map(of)] as const
  return [
    row(
      {
        what: `memory of the gateway at most, ${SLOW} of ${SOCKETS} sockets not reading`,
        unit: 'MB',
        against,
        aim: '≤ 1 MB a socket',
      },
      ...values(peak),
    ),
    row(
      {
        what: `send → seen of the others meanwhile, p99, ${PER_SECOND} long messages a second`,
        unit: 'ms',
        against,
      },
      ...values(({ meanwhileMs }) => meanwhileMs),
    ),
    row(
      {
        what: 'the same against before',
        unit: 'ms',
        against: 'the same gateway, all reading',
        aim: '≤ 1.5×',
      },
      ours.map(({ meanwhileMs }) => meanwhileMs),
      ours.map(({ beforeMs }) => beforeMs),
    ),
    row(
      { what: 'until the last slow one has every message', unit: 's' },
      ours.map(({ wholeS }) => wholeS),
    ),
    row(
      { what: 'messages that slow ones have not, or twice', unit: '', aim: '0' },
      ours.map(({ wrong }) => wrong),
    ),
    row(
      { what: 'how busy the load kept its core', unit: '%', against },
      ...values(({ loadPercent }) => loadPercent),
    ),
  ]
}
