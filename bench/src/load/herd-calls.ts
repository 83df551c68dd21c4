import { gather, type Herd, type HerdOfVisitors, type HerdReport } from './herd.ts'

const herds = new Map<string, HerdOfVisitors>()
const herdOf = (name: string): HerdOfVisitors => {
  const herd = herds.get(name)
  if (!herd) throw new Error(`no herd ${name}`)
  return herd
}

/** What the bench asks of visitors who come back by themselves, herd by herd. */
export const herdCalls = {
  gather({ name, port, herd, atATime }: { name: string; port: number; herd: Herd; atATime: number }) {
    const gathered = gather(port, herd, { frames: 0, bytes: 0 })
    herds.set(name, gathered)
    return gathered.join(atATime)
  },
  brace: ({ name, targets }: { name: string; targets: Record<string, number> }): void =>
    herdOf(name).brace(targets),
  cut: ({ name, count }: { name: string; count: number }): void => herdOf(name).cut(count),
  back: ({ name, count }: { name: string; count: number }): void => herdOf(name).back(count),
  whole: ({ name }: { name: string }): Promise<HerdReport> => herdOf(name).whole(),
  stall: ({ name, stalled }: { name: string; stalled: boolean }): void => herdOf(name).stall(stalled),
  rewind: ({ name, subject, seq }: { name: string; subject: string; seq: number }): void =>
    herdOf(name).rewind(subject, seq),
  scatter({ name }: { name: string }): void {
    herds.get(name)?.close()
    herds.delete(name)
  },
}
