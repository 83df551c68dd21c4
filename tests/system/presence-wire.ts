import { passingEventSchema } from '@klatsch/contracts'
import type { TestPerson } from './people.ts'
import type { Received, Wire } from './wire.ts'

/** What a socket was told of somebody, in order. */
export const states = (wire: Wire, { actor }: TestPerson): string[] =>
  wire.received
    .filter((frame) => frame.type === 'presence.changed.v1' && frame.subject === actor)
    .map((frame) => passingEventSchema.parse(frame).data as { state: string })
    .map(({ state }) => state)

/** Waits until the latest thing a socket was told of somebody is that state. */
export const told = (wire: Wire, person: TestPerson, state: string): Promise<Received> =>
  wire.first(
    (frame) =>
      frame.type === 'presence.changed.v1' &&
      frame === wire.received.findLast((f) => f.type === frame.type && f.subject === person.actor) &&
      (frame.data as { state: string }).state === state,
  )

export const watch = (wire: Wire, people: readonly TestPerson[], rooms: readonly string[] = []) =>
  wire.send({ type: 'watch', users: people.map(({ user }) => user.id), rooms })
export const signal = (wire: Wire, { actor }: TestPerson, data: object) =>
  wire.send({ type: 'signal', subject: actor, signal: 'presence', data })
