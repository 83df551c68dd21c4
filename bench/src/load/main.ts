// The load: sockets that write, receive and count. Runs as a process of its own and does what the bench calls for.
import { readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { serveCalls } from '../calls.ts'
import type { FeederData, FeederRun, FeederSays } from './feeder.ts'
import { type Group, openGroup, type Seat, watchSample } from './group.ts'
import { herdCalls } from './herd-calls.ts'
import { type Latencies, type LatencyLoad, measureLatencies } from './latency.ts'
import { type Resume, timeResumes } from './resumes.ts'

/** A stretch of receiving. `serverCpuMs`: CPU time that the measured process took for it; NaN where that is unknown. */
export interface Stretch {
  readonly frames: number
  readonly bytes: number
  readonly ms: number
  readonly serverCpuMs: number
}

interface Opening {
  readonly group: string
  readonly port: number
  readonly seats: readonly Seat[]
  readonly atATime?: number
}

/** What to receive: which group, for how long, from which process. */
interface Receiving {
  readonly group: string
  readonly warmMs: number
  readonly ms: number
  readonly serverPid: number
}

/** Frames received by a group, where the feeder's thread can see them. */
class Received {
  readonly shared = new Int32Array(new SharedArrayBuffer(4))
  bytes = 0
  get frames(): number {
    return this.shared[0]!
  }
  set frames(count: number) {
    this.shared[0] = count
  }
}

const groups = new Map<string, Group & { received: Received }>()
const groupOf = (name: string) => {
  const group = groups.get(name)
  if (!group) throw new Error(`no group ${name}`)
  const ended = group.sockets.find((socket) => socket.ended !== undefined)
  if (ended) throw new Error(`a socket of ${name} has ended: ${ended.ended}`)
  return group
}
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** CPU time of a process so far, user and kernel, all its threads; the clock of Linux ticks in hundredths. */
function cpuMsOf(pid: number): number {
  if (process.platform !== 'linux') return Number.NaN
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number)
  return ((user ?? Number.NaN) + (system ?? Number.NaN)) * 10
}

async function stretch({ group, warmMs, ms, serverPid }: Receiving): Promise<Stretch> {
  const { received } = groupOf(group)
  const now = () => ({
    frames: received.frames,
    bytes: received.bytes,
    ms: performance.now(),
    serverCpuMs: cpuMsOf(serverPid),
  })
  await pause(warmMs)
  const before = now()
  await pause(ms)
  const after = now()
  groupOf(group)
  return {
    frames: after.frames - before.frames,
    bytes: after.bytes - before.bytes,
    ms: after.ms - before.ms,
    serverCpuMs: after.serverCpuMs - before.serverCpuMs,
  }
}

let feeder: Worker | undefined
let feederStop = new Int32Array(new SharedArrayBuffer(4))

const calls = {
  ...herdCalls,

  /** Opens sockets, fifty at a time unless told otherwise. Answers the milliseconds until the last was ready. */
  async open({ group, atATime = 50, ...sockets }: Opening): Promise<number> {
    const received = new Received()
    const begin = performance.now()
    groups.set(group, { ...(await openGroup({ ...sockets, atATime }, received)), received })
    return performance.now() - begin
  },

  close({ group }: { group: string }): void {
    groups.get(group)?.close()
    groups.delete(group)
  },

  /** What a group received since it was opened, after the handshakes. */
  received({ group }: { group: string }): { frames: number; bytes: number } {
    const { frames, bytes } = groupOf(group).received
    return { frames, bytes }
  },

  /** Counts what a group receives. */
  receive: (receiving: Receiving): Promise<Stretch> => stretch(receiving),

  /** Starts the thread that feeds, bound to one group. */
  async startFeeder({ group, brokers }: { group: string; brokers: string }): Promise<void> {
    await feeder?.terminate()
    feederStop = new Int32Array(new SharedArrayBuffer(4))
    const workerData: FeederData = { brokers, delivered: groupOf(group).received.shared, stop: feederStop }
    feeder = new Worker(new URL('./feeder.ts', import.meta.url), { workerData })
    feeder.on('error', (error) => {
      throw error
    })
    await new Promise((resolve) => feeder?.once('online', resolve))
  },

  /**
   * Receives while the thread feeds. Answers where the streams are now; `checked`, `wrong`: events of the sampled
   * sockets that were in their place, and that were not.
   */
  async feed({ run, ...receiving }: Receiving & { run: FeederRun }) {
    Atomics.store(feederStop, 0, 0)
    const said = listen(feeder!)
    feeder!.postMessage(run)
    await said.next('begun')
    const sample = watchSample(groupOf(receiving.group).sockets)
    const measured = await stretch(receiving)
    Atomics.store(feederStop, 0, 1)
    Atomics.notify(feederStop, 0)
    const late = setTimeout(() => Atomics.store(feederStop, 0, 2), 10_000)
    const { sent, streams, frameBytes } = await said.next('ended')
    clearTimeout(late)
    if (sent === run.count) throw new Error(`the feeder ran dry after ${sent} events`)
    return { ...measured, ...sample, streams, frameBytes }
  },

  resumes: ({ port, resume, times }: { port: number; resume: Resume; times: number }): Promise<number[]> =>
    timeResumes(port, resume, times),

  latencies: (args: {
    group: string
    /** Of each room: its subject and which sockets of the group are in it. */
    rooms: readonly { subject: string; sockets: readonly number[] }[]
    load: LatencyLoad
  }): Promise<Latencies> => {
    const { sockets } = groupOf(args.group)
    const rooms = args.rooms.map((room) => ({
      subject: room.subject,
      sockets: room.sockets.map((index) => sockets[index]!),
    }))
    return measureLatencies(rooms, args.load)
  },
}
export type LoadCalls = typeof calls
serveCalls(calls)

/** What a feeder says, in order, none missed. */
function listen(worker: Worker) {
  const said: FeederSays[] = []
  const wake = new Set<() => void>()
  worker.removeAllListeners('message')
  worker.on('message', (message: FeederSays) => {
    said.push(message)
    for (const each of wake) each()
  })
  return {
    async next<K extends FeederSays['kind']>(kind: K): Promise<Extract<FeederSays, { kind: K }>> {
      for (;;) {
        const found = said.find((each) => each.kind === kind)
        if (found) return found as Extract<FeederSays, { kind: K }>
        await new Promise<void>((resolve) => wake.add(resolve))
      }
    },
  }
}
