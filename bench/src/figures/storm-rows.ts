import { type Row, row } from '../figure.ts'
import type { HerdReport } from '../load/herd.ts'
import { percentile } from '../statistics.ts'

export const SOCKETS = 5_000
/** Sockets that are cut while the gateway lives. */
export const CUT = 2_000
export const MISSED = 20

/** What one storm measured; times in seconds. */
export interface Storm {
  readonly lastWholeS: number
  readonly p50S: number
  readonly dials: number
  readonly loadPercent: number
  /** Processor time of the servers for each who came back. */
  readonly cpuMs: number
}

export function stormOf(
  { result, percent }: { result: HerdReport; percent: number },
  count: number,
  cpuMs: number,
): Storm {
  const ms = result.ms.slice(0, count)
  return {
    lastWholeS: Math.max(...ms) / 1_000,
    p50S: percentile(ms, 0.5) / 1_000,
    dials: result.dials,
    loadPercent: percent,
    cpuMs: cpuMs / count,
  }
}

export function rowsOf(
  measured: Record<'killed' | 'cut' | 'barely' | 'bareCut', readonly Storm[]>,
  acks: Record<'calm' | 'stormy', readonly number[]>,
  wrong: readonly number[],
): Row[] {
  const against = 'bare ws that dies too, and sends as much to whoever comes'
  const last = (storms: readonly Storm[]) => storms.map(({ lastWholeS }) => lastWholeS)
  const half = (storms: readonly Storm[]) => storms.map(({ p50S }) => p50S)
  const sockets = SOCKETS.toLocaleString('en')
  const cut = `${CUT.toLocaleString('en')} cut sockets back at once, gateway alive, ${MISSED} missed messages each`
  return [
    row(
      {
        what: `gateway with ${sockets} sockets killed, until the last is whole`,
        unit: 's',
        against,
        aim: '≤ 5 s',
      },
      last(measured.killed),
      last(measured.barely),
    ),
    row({ what: 'until half of them are', unit: 's', against }, half(measured.killed), half(measured.barely)),
    row(
      { what: 'sockets dialled for it, by the backoff of the client', unit: '', against },
      measured.killed.map(({ dials }) => dials),
      measured.barely.map(({ dials }) => dials),
    ),
    row(
      {
        what: cut,
        unit: 's',
        against: 'bare ws that sends as much to whoever comes',
        aim: '≤ 1 s',
        others: 'Centrifugo 0.33 s, from memory',
      },
      last(measured.cut),
      last(measured.bareCut),
    ),
    ...(['killed', 'cut'] as const).map((name) =>
      row(
        {
          what: `processor time of gateway and chat for each who came back, ${
            name === 'killed' ? "the gateway's start included" : 'gateway alive'
          }`,
          unit: 'ms',
          against: 'that of the server of bare ws',
        },
        measured[name].map(({ cpuMs }) => cpuMs),
        measured[name === 'killed' ? 'barely' : 'bareCut'].map(({ cpuMs }) => cpuMs),
      ),
    ),
    row({ what: 'events lost, doubled or of another history, over all sockets', unit: '', aim: '0' }, wrong),
    row(
      { what: 'send → ack of others during it, p99', unit: 'ms', against: 'the same before it' },
      acks.stormy,
      acks.calm,
    ),
    row(
      { what: 'how busy the load kept its core meanwhile', unit: '%', against },
      measured.killed.map(({ loadPercent }) => loadPercent),
      measured.barely.map(({ loadPercent }) => loadPercent),
    ),
  ]
}
