import { systemScheduler } from '@klatsch/streams'
import { v7 } from 'uuid'
import { createClient } from '../client.ts'
import { memoryStorage } from '../storage.ts'
import type { Client, ClientOptions, ClientStorage } from '../types.ts'
import { type TabBrowser, type TabChannel, thisBrowser } from './browser.ts'
import { type Election, elect } from './election.ts'
import { Host } from './host.ts'
import { type FromLeader, TABS_VERSION, type TabMessage } from './messages.ts'
import { Recent } from './recent.ts'
import { Tab } from './tab.ts'

/** A tab that is looked at leads instead of one that is not after so long: timers of hidden pages are slow. */
const HIDDEN_MS = 10_000
/** How often the leader says how much it told. */
const ANNOUNCE_MS = 15_000

export interface SharedClientOptions extends ClientOptions {
  /** One for each user: what belongs to different people never meets. */
  readonly name: string
  /** Names the code: tabs of different code do not share, since they may not understand each other. */
  readonly build: string
  /** This one when absent. */
  readonly browser?: TabBrowser
}

/**
 * A client that all tabs of one browser share: one of them has the socket and the outbox, the others see and do
 * everything through it; when it is closed, crashes or sleeps, another takes over. Where tabs cannot agree (no Web
 * Locks, as on plain-HTTP addresses; no browser), it is a client of its own. `storage` must be one that the tabs share,
 * `follow` and `mode` the same in all of them.
 */
export function createSharedClient(shared: SharedClientOptions): Client {
  const { name, build, browser = thisBrowser(), ...options } = shared
  return browser
    ? shareWith(browser, `klatsch.tabs/${TABS_VERSION}/${build}/${name}`, options)
    : createClient(options)
}

function shareWith(browser: TabBrowser, prefix: string, options: ClientOptions): Client {
  const { locks } = browser
  const scheduler = options.scheduler ?? systemScheduler
  const newId = options.newId ?? v7
  const storage = options.storage ?? memoryStorage()
  const id = newId()
  const recent = new Recent()
  let channel: TabChannel | undefined
  let election: Election | undefined
  let leading: { readonly host: Host; readonly client: Client; readonly term: number } | undefined
  let leaderHidden = false
  let cancelClaim = () => {}
  let stopWatching = () => {}
  let letGo = () => {}

  const tab = new Tab({
    id,
    scheduler,
    newId,
    recent,
    post(message) {
      if (leading) leading.host.receive(message)
      else channel?.postMessage(message)
    },
    keep: (commands) => storage.write({ add: commands }),
    start,
    stop,
    unanswered: () => !browser.hidden() && election?.claim(),
    leaderHidden(hidden) {
      if (hidden === leaderHidden) return
      leaderHidden = hidden
      heedLeader()
    },
  })

  function start(): void {
    const mine = browser.channel(prefix)
    channel = mine
    mine.onmessage = ({ data }) => heard(data as TabMessage)
    stopWatching = browser.watch({
      changed() {
        leading?.host.announce()
        heedLeader()
        // Also finds out whether whoever leads is awake.
        if (!browser.hidden() && !leading) tab.join()
      },
      sleeps: () => void election?.handOver(),
      wakes: () => tab.join(),
    })
    // Held for as long as this tab lives, so that the leader learns when it does not.
    const alive = () => {
      if (channel !== mine) return undefined
      election = elect({ locks, name: `${prefix}/leader`, scheduler, lead, resign })
      tab.join()
      return new Promise<void>((resolve) => {
        letGo = resolve
      })
    }
    locks.request(`${prefix}/tab/${id}`, {}, alive).catch(() => {})
  }

  async function stop(): Promise<void> {
    stopWatching()
    cancelClaim()
    await election?.stop()
    election = undefined
    channel?.close()
    channel = undefined
    letGo()
  }

  function heard(message: TabMessage): void {
    switch (message.kind) {
      case 'lead':
      case 'told':
      case 'snapshot':
        // Taken over; the lock says so too, in its own time.
        if (leading && message.term > leading.term) void resign()
        tab.receive(message)
        return
      case 'join':
      case 'wishes':
      case 'command':
      case 'typing':
      case 'connect':
      case 'leave':
        leading?.host.receive(message)
        return
      default:
        message satisfies never
    }
  }

  function lead(): void {
    const term = Math.max(tab.term + 1, scheduler.now())
    const client = createClient({ ...options, storage: from(storage, tab) })
    const host = new Host({
      client,
      term,
      recent,
      follow: options.follow ?? 'all',
      mode: options.mode ?? 'full',
      hidden: browser.hidden,
      post(message: FromLeader) {
        channel?.postMessage(message)
        tab.receive(message)
      },
      kept: async () => (await storage.load()).outbox,
      whenGone,
    })
    leading = { host, client, term }
    cancelClaim()
    client.connect()
    const announce = () => {
      if (leading?.host !== host) return
      host.announce()
      scheduler.after(ANNOUNCE_MS, announce)
    }
    announce()
  }

  async function resign(): Promise<void> {
    const was = leading
    leading = undefined
    was?.host.end()
    await was?.client.close()
  }

  function whenGone(other: string, gone: () => void): () => void {
    if (other === id) return () => {}
    const waiting = new AbortController()
    const free = () => {
      gone()
      return undefined
    }
    locks.request(`${prefix}/tab/${other}`, { signal: waiting.signal }, free).catch(() => {})
    return () => waiting.abort()
  }

  function heedLeader(): void {
    cancelClaim()
    if (!leaderHidden || leading || browser.hidden()) return
    cancelClaim = scheduler.after(HIDDEN_MS, () => election?.claim())
  }

  return tab
}

/** Whoever takes over goes on where its tab is, which may be further than what was kept, or all there is. */
function from(storage: ClientStorage, tab: Tab): ClientStorage {
  return {
    async load() {
      const { outbox, cursors } = await storage.load()
      return { outbox, cursors: { ...cursors, ...tab.cursors } }
    },
    write: (change) => storage.write(change),
  }
}
