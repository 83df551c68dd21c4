import { type Figure, type Row, row } from '../figure.ts'
import { makePeople, makeRooms, seatInRooms } from '../people.ts'
import { type Drained, drain, fill } from './durable.ts'

const ROUNDS = { quick: 2, full: 5 }
const PEOPLE = 1_000
const ROOMS = 100

/** Fault points that nobody uses: what they cost where each message passes most of them. */
export const faults: Figure = {
  name: 'faults',
  describe:
    'the durable path with its fault points, against the same with none: the laboratory is off in both',
  async measure({ stack: start, profileDir, quick }) {
    const stack = await start()
    const found = { with: [] as Drained[], without: [] as Drained[] }
    for (let round = 0; round < (quick ? ROUNDS.quick : ROUNDS.full); round += 1) {
      const first = await stack.startChat()
      const rooms = await makeRooms(stack, seatInRooms(await makePeople(stack, PEOPLE), ROOMS))
      await first.process.stop()
      // In turns, and each first as often as the other: tables grow, and caches warm.
      const kinds = round % 2 === 0 ? (['with', 'without'] as const) : (['without', 'with'] as const)
      for (const kind of kinds) {
        await fill(stack, rooms)
        const chat = await stack.launchChat({ profileDir, withoutFaults: kind === 'without' })
        found[kind].push(await drain(stack, rooms, chat.process))
        await chat.process.stop()
      }
    }
    return rowsOf(found)
  },
}

function rowsOf(found: Readonly<Record<'with' | 'without', readonly Drained[]>>): Row[] {
  const against = 'the same without fault points'
  const both = (about: Pick<Row, 'what' | 'unit' | 'aim'>, of: (drained: Drained) => number) =>
    row({ ...about, against }, found.with.map(of), found.without.map(of))
  return [
    both({ what: 'durable messages/s, fault points compiled in', unit: '/s', aim: '1×' }, (d) => d.perSecond),
    both({ what: "chat's processor time for each of them", unit: 'µs', aim: '1×' }, (d) => d.cpuUs),
  ]
}
