import type { Socket } from 'node:net'
import type { NetworkFault } from './fault.ts'

/** One direction of a connection. */
export interface Lane {
  /** Another fault stands, or none any more. */
  judge(): void
}

export interface LaneOptions {
  readonly from: Socket
  readonly to: Socket
  /** What stands at the moment. */
  readonly fault: () => NetworkFault | undefined
  /** From 0 to 1. */
  readonly random: () => number
  /** Bytes, or the end of them, were kept from the other side. */
  readonly onLost: () => void
  /** Asked before bytes are taken; false: they are not passed on. */
  readonly mayPass: () => boolean
}

interface Waiting {
  readonly bytes: Buffer
  /** When the latency lets them go. */
  readonly due: number
}

/** What waits in one direction; above it nothing more is read, as when the window of the other side is full. */
const MOST_WAITING_BYTES = 4 * 1_024 * 1_024
/** Bandwidth is given out in so many pieces a second. */
const PIECES = 20

/** Hands on what one end says to the other, in order, as the fault that stands lets it. */
export function lane({ from, to, fault, random, onLost, mayPass }: LaneOptions): Lane {
  let waiting: Waiting[] = []
  let waitingBytes = 0
  let ended = false
  /** `to` takes no more until it has drained. */
  let full = false
  /** When the bandwidth lets the next piece go. */
  let freeAt = 0
  let timer: NodeJS.Timeout | undefined

  function take(bytes: Buffer): void {
    const now = fault()
    if (!mayPass()) return
    if (now?.kind === 'half-open') onLost()
    else if (!now && waiting.length === 0 && !full) write(bytes)
    else keep(bytes, performance.now() + latencyOf(now, random))
  }

  function keep(bytes: Buffer, due: number): void {
    waiting.push({ bytes, due })
    waitingBytes += bytes.length
    if (waitingBytes > mostWaiting(fault())) from.pause()
    go()
  }

  function write(bytes: Buffer): void {
    full = !to.write(bytes)
    if (full) from.pause()
  }

  /** Lets go what may go by now, and looks again when the next may. */
  function go(): void {
    clearTimeout(timer)
    while (waiting.length > 0 && !full) {
      const head = waiting[0]!
      const ms = waitOf(head, fault(), freeAt)
      if (ms > 0) {
        if (Number.isFinite(ms)) timer = setTimeout(go, ms)
        return
      }
      pass(head)
    }
    if (full || fault()?.kind === 'stall') return
    if (ended) to.end()
    else from.resume()
  }

  function pass(head: Waiting): void {
    const now = fault()
    const rate = now?.kind === 'slow' ? now.bytesPerSecond : undefined
    const piece = rate === undefined ? head.bytes : head.bytes.subarray(0, Math.ceil(rate / PIECES))
    if (rate !== undefined) freeAt = Math.max(performance.now(), freeAt) + (piece.length / rate) * 1_000
    if (piece.length === head.bytes.length) waiting.shift()
    else waiting[0] = { ...head, bytes: head.bytes.subarray(piece.length) }
    waitingBytes -= piece.length
    write(piece)
  }

  function end(): void {
    if (fault()?.kind === 'half-open') onLost()
    else {
      ended = true
      go()
    }
  }

  from.on('data', take)
  from.on('end', end)
  to.on('drain', () => {
    full = false
    go()
  })
  to.on('close', () => clearTimeout(timer))
  return {
    judge() {
      if (fault()?.kind === 'half-open' && waiting.length > 0) {
        waiting = []
        waitingBytes = 0
        onLost()
      }
      go()
    },
  }
}

/** Who is slow takes no more than is passed on in a second: what waits behind it must wait with whoever said it. */
const mostWaiting = (fault: NetworkFault | undefined): number =>
  Math.min(MOST_WAITING_BYTES, (fault?.kind === 'slow' && fault.bytesPerSecond) || MOST_WAITING_BYTES)

const latencyOf = (fault: NetworkFault | undefined, random: () => number): number =>
  fault?.kind === 'slow' ? fault.latencyMs + random() * fault.jitterMs : 0

/** How long the first that waits must still wait. */
function waitOf({ due }: Waiting, fault: NetworkFault | undefined, freeAt: number): number {
  switch (fault?.kind) {
    case 'stall':
      return Number.POSITIVE_INFINITY
    case 'slow':
      return Math.max(due, fault.bytesPerSecond === undefined ? 0 : freeAt) - performance.now()
    case undefined:
    case 'half-open':
    case 'cut':
    case 'lost-answers':
      return 0
  }
}
