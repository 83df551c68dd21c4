import { type Context, type Figure, type Row, row } from '../figure.ts'
import type { Herd } from '../load/herd.ts'
import type { LatencyLoad } from '../load/latency.ts'
import type { LoadCalls } from '../load/main.ts'
import { makePeople, makeRooms, type Room } from '../people.ts'
import { startProcess } from '../processes.ts'
import { percentile } from '../statistics.ts'
import type { Usage } from '../usage.ts'
import { CORE, placesOf, shareOfCore, withServersPinned } from './common.ts'

const SOCKETS = 500
const SLOW = 100
const PER_SECOND = 50
/** Long messages, so that what the kernel takes for a socket that nobody reads is soon full. */
const TEXT = 'A long one. '.repeat(250)
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
    const seen = async (how: LatencyLoad) => {
      const rooms = [{ subject: room.subject, sockets: readers }]
      return percentile((await load.call('latencies', { group: 'readers', rooms, load: how })).seen, 0.99)
    }

    /** What the slow ones have once they read again, and after how long. */
    async function caughtUp(): Promise<Pick<Measured, 'wholeS' | 'wrong'>> {
      const heads = (await placesOf(stack, [room])).map(({ subject, seq }) => [subject, seq])
      await load.call('brace', { name: 'slow', targets: Object.fromEntries(heads) })
      const { ms, found } = await load.call('whole', { name: 'slow' })
      context.say(`slow: ${JSON.stringify(found)}`)
      const wrong = found.doubled + found.lost + found.forked + found.failed
      return { wholeS: Math.max(...ms) / 1_000, wrong }
    }

    async function measured(): Promise<Measured> {
      const gateway = await stack.startGateway(chat, { core: CORE.server, profileDir })
      const { port, process: server } = gateway
      const tokens = people.slice(0, SLOW).map(({ token }) => token)
      const herd: Herd = { kind: 'people', tokens, heals: 'all' }
      await load.call('gather', { name: 'slow', port, herd, atATime: 50 })
      const seats = people
        .slice(SLOW)
        .map(({ token }) => ({ path: '/ws', hello: { token, follow: 'all' as const } }))
      await load.call('open', { group: 'readers', port, seats })
      const beforeMs = await seen(talk)
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
          seen({ ...talk, warmMs: 0, ms: stalledMs }),
        )
        await load.call('stall', { name: 'slow', stalled: false })
        return { beforeMs, meanwhileMs, memoryMb, loadPercent, ...(await caughtUp()) }
      } finally {
        clearInterval(sampler)
        await load.call('close', { group: 'readers' })
        await load.call('scatter', { name: 'slow' })
        await server.stop()
      }
    }

    try {
      return rowsOf(context, await withServersPinned(stack, measured))
    } finally {
      for (const each of [load, chat.process]) await each.stop()
    }
  },
}

function rowsOf({ say }: Context, ours: Measured): Row[] {
  say(`slow: MB above the beginning: ${ours.memoryMb.map(Math.round).join(' ')}`)
  const what = `memory of the gateway at most, ${SLOW} of ${SOCKETS} sockets not reading`
  return [
    row({ what, unit: 'MB', aim: `≤ ${SLOW} MB` }, [Math.max(...ours.memoryMb)]),
    row(
      {
        what: `send → seen of the others meanwhile, p99, ${PER_SECOND} long messages a second`,
        unit: 'ms',
        against: 'the same before, all reading',
        aim: '≤ 1.5×',
      },
      [ours.meanwhileMs],
      [ours.beforeMs],
    ),
    row({ what: 'until the last slow one has every message', unit: 's' }, [ours.wholeS]),
    row({ what: 'messages that slow ones have not, or twice', unit: '', aim: '0' }, [ours.wrong]),
    row({ what: 'how busy the load kept its core', unit: '%' }, [ours.loadPercent]),
  ]
}
