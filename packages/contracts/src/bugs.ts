/**
 * Deliberate bugs that the laboratory can switch on, to prove that its checks turn red (docs/BUGS.md). They are handed
 * as an argument to what has them, and exist nowhere else. `part`: what has it.
 */
export const knownBugs = {
  'dedupe-off': {
    part: 'chat',
    what: 'The outcome that a command already has is ignored, so one that is sent again is decided again.',
  },
  'offset-before-commit': {
    part: 'chat',
    what: 'The offset of a command is committed without waiting for its decision.',
  },
  'publish-before-commit': {
    part: 'chat',
    what: 'Events are published while the transaction that they come from may still fail.',
  },
  'sweep-off': {
    part: 'chat',
    what: 'What a crash left committed and not published is never published.',
  },
  'key-order-off': {
    part: 'chat',
    what: 'Events go to any partition, whatever their stream.',
  },
  'two-sends-in-flight': {
    part: 'chat',
    what: 'Records are sent to the broker one by one, the next while the one before has no answer.',
  },
  'replies-astray': {
    part: 'chat',
    what: 'An outcome that no event tells goes to another gateway than the one that asked.',
  },
  'gap-fill-off': {
    part: 'gateway',
    what: 'Holes in a stream are not filled from Postgres, silent tails not fetched.',
  },
  'ack-before-commit': {
    part: 'gateway',
    what: 'A command is acknowledged when it comes in, at the seq that it will probably get.',
  },
  'resume-skips-one': {
    part: 'gateway',
    what: 'A resume begins one event behind the one that follows its cursor.',
  },
  'lagging-drops': {
    part: 'gateway',
    what: 'What does not fit into a slow socket is dropped, instead of being pulled when there is room.',
  },
  'lease-off': {
    part: 'presence',
    what: 'A gateway that is not heard of any more keeps its sessions.',
  },
  'lease-without-fencing': {
    part: 'presence',
    what: 'What a gateway said in a life that is over counts when it comes late.',
  },
  'grace-off': {
    part: 'presence',
    what: 'Who closes the last socket is offline at once, although a page that is reloaded closes it too.',
  },
  'settle-at-once': {
    part: 'presence',
    what: 'A new owner of a partition takes those it has not heard of for offline, before the gateways could tell.',
  },
  'rebuild-forgets-ended': {
    part: 'presence',
    what: 'An owner that rebuilds a partition passes over the end of a session that it has not heard of.',
  },
  'new-id-on-retry': {
    part: 'client',
    what: 'A command that is sent again gets another id.',
  },
} as const

export type Bug = keyof typeof knownBugs
export const bugNames = Object.keys(knownBugs) as [Bug, ...Bug[]]

/** Those that are switched on: hardly ever any. */
export type Bugs = ReadonlySet<Bug>
export const noBugs: Bugs = new Set()
