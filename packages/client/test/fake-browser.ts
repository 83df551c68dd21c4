import type { SimulatedProcess, Simulation } from '@klatsch/streams/simulation'
import type { TabBrowser, TabChannel } from '../src/tabs/browser.ts'

interface Request {
  readonly owner: SimulatedProcess
  readonly held: () => Promise<void> | undefined
  readonly settle: (error?: Error) => void
}

const LATENCY_MS = 4

/** One browser: its tabs are processes that share locks and channels, each of which takes its time. */
export function fakeBrowser(sim: Simulation, { lost = 0 }: { readonly lost?: number } = {}) {
  const holders = new Map<string, Request>()
  const queues = new Map<string, Request[]>()
  const channels = new Set<{ name: string; owner: SimulatedProcess; receive: (message: unknown) => void }>()
  const later = (task: () => void, process: { after: SimulatedProcess['after'] } = sim) =>
    void process.after(sim.random() * LATENCY_MS, task)

  function grant(name: string): void {
    if (holders.has(name)) return
    const next = queues.get(name)?.shift()
    if (next) hold(name, next)
  }

  function hold(name: string, request: Request): void {
    holders.set(name, request)
    const release = () => {
      if (holders.get(name) !== request) return
      holders.delete(name)
      request.settle()
      later(() => grant(name))
    }
    later(() => {
      if (holders.get(name) !== request) return
      const until = request.held()
      if (until) void until.then(release)
      else release()
    }, request.owner)
  }

  function tab(process: SimulatedProcess) {
    let hidden = false
    let cancelFreeze = () => {}
    const watchers = new Set<Parameters<TabBrowser['watch']>[0]>()
    const browser: TabBrowser = {
      locks: {
        request: (name, { signal, steal }, held) =>
          new Promise((resolve, reject) => {
            const settle = (error?: Error) =>
              later(() => (error ? reject(error) : resolve(undefined)), process)
            const request = { owner: process, held, settle }
            signal?.addEventListener('abort', () => {
              const queue = queues.get(name) ?? []
              if (!queue.includes(request)) return
              queue.splice(queue.indexOf(request), 1)
              settle(new DOMException('withdrawn', 'AbortError'))
            })
            if (steal) {
              holders.get(name)?.settle(new DOMException('stolen', 'AbortError'))
              holders.delete(name)
              hold(name, request)
              return
            }
            queues.set(name, [...(queues.get(name) ?? []), request])
            later(() => grant(name))
          }),
      },
      channel(name) {
        // One queue for all: what is posted first arrives first, also from different tabs.
        const inbox: unknown[] = []
        const mine: TabChannel = {
          onmessage: null,
          postMessage(message) {
            for (const other of channels) {
              if (other.name === name && other !== entry) other.receive(structuredClone(message))
            }
          },
          close: () => channels.delete(entry),
        }
        const entry = {
          name,
          owner: process,
          receive(message: unknown) {
            // As to a page that is kept aside.
            if (sim.random() < lost) return
            inbox.push(message)
            later(() => {
              const data = inbox.shift()
              if (channels.has(entry)) mine.onmessage?.({ data })
            }, process)
          },
        }
        channels.add(entry)
        return mine
      },
      hidden: () => hidden,
      watch(on) {
        watchers.add(on)
        return () => watchers.delete(on)
      },
    }
    return {
      browser,
      get hidden() {
        return hidden
      },
      show(visible: boolean) {
        if (hidden === !visible) return
        hidden = !visible
        for (const { changed } of watchers) process.after(0, changed)
      },
      /** As a browser that says so before. */
      sleep() {
        for (const { sleeps } of watchers) sleeps()
        cancelFreeze()
        cancelFreeze = process.after(20, () => process.freeze())
      },
      wake() {
        cancelFreeze()
        process.thaw()
        for (const { wakes } of watchers) process.after(0, wakes)
      },
      crash() {
        process.kill()
        for (const entry of channels) if (entry.owner === process) channels.delete(entry)
        for (const [name, queue] of queues)
          queues.set(
            name,
            queue.filter(({ owner }) => owner !== process),
          )
        for (const [name, { owner }] of [...holders]) {
          if (owner !== process) continue
          holders.delete(name)
          later(() => grant(name))
        }
      },
    }
  }
  return { tab }
}
