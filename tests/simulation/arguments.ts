import { availableParallelism } from 'node:os'

const text = { type: 'string' } as const

/** What `npm run simulate` can be told; its help says what each means. */
export const simulationOptions = {
  seed: text,
  seeds: { ...text, default: '1000' },
  first: { ...text, default: '1' },
  bugs: { ...text, default: '' },
  steps: text,
  cutting: text,
  jobs: { ...text, default: String(availableParallelism()) },
  within: { ...text, default: '60' },
  only: text,
  order: text,
  people: text,
  rooms: text,
  switchers: text,
  visitors: text,
  chats: text,
  gateways: text,
  presences: text,
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const
