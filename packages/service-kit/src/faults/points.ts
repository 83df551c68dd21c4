import type { FaultKind, FaultPointInfo } from '@klatsch/contracts'

type About = Omit<FaultPointInfo, 'name'>

const waits: FaultKind[] = ['error', 'delay', 'hang']
const records: FaultKind[] = ['drop', 'duplicate', 'reorder', 'delay', 'hang']

const clock = 'wherever the service reads the time of day'

/** Every place where a fault can be brought about: where it sits, what can happen there, and to whom. */
export const faultPoints = {
  'gateway.command': {
    service: 'gateway',
    where: 'before a command is put on chat.commands; each command is by itself',
    effects: [...records, 'error', 'crash'],
    scopes: ['rooms', 'people', 'sessions'],
  },
  'gateway.deliver': {
    service: 'gateway',
    where: 'between the log and the sockets: events of chat.events, and the acks that they are',
    effects: [...records, 'crash'],
    scopes: ['rooms', 'people'],
  },
  'gateway.query': {
    service: 'gateway',
    where: 'before chat is asked, for many rooms at once: streams at a hello, events for a hole, heads',
    effects: waits,
    scopes: [],
  },
  'chat.consume': {
    service: 'chat',
    where: 'when a batch of chat.commands arrives; the batch waits for its slowest record',
    effects: [...records, 'error', 'crash'],
    scopes: ['rooms', 'people', 'sessions'],
  },
  'chat.persist': {
    service: 'chat',
    where:
      'before the transaction of a batch; an error server.internal makes the command "held" and passes the others by, one server.unavailable holds up its partition',
    effects: [...waits, 'crash'],
    scopes: ['rooms', 'people'],
  },
  'chat.persisted': {
    service: 'chat',
    where: 'after the commit, before anything of the batch is published',
    effects: ['delay', 'hang', 'crash'],
    scopes: ['rooms', 'people'],
  },
  'chat.publish': {
    service: 'chat',
    where: 'when events and replies are published; an error or a delay holds up the partition',
    effects: [...records, 'error', 'crash'],
    scopes: ['rooms', 'people'],
  },
  'chat.query': {
    service: 'chat',
    where: 'before a read is answered: of people, one room each, or of gateways, many rooms at once',
    effects: waits,
    scopes: ['rooms'],
  },
  'chat.clock': { service: 'chat', where: clock, effects: ['shift'], scopes: [] },
  'gateway.clock': { service: 'gateway', where: clock, effects: ['shift'], scopes: [] },
  'presence.clock': { service: 'presence', where: clock, effects: ['shift'], scopes: [] },
  'presence.lease': {
    service: 'presence',
    where: 'when signals of gateways (sessions, beats) arrive',
    effects: [...records, 'error', 'crash'],
    scopes: [],
  },
} as const satisfies Record<string, About>

export type FaultPointName = keyof typeof faultPoints

export const isFaultPoint = (name: string): name is FaultPointName => Object.hasOwn(faultPoints, name)
