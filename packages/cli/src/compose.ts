// Blows to the stack in containers.
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Container, containersOf, inspect, madeLike, podman } from './podman.ts'
import { CliError } from './stack.ts'

/** The name in podman-compose.yaml. */
export const COMPOSE_PROJECT = 'klatsch'

const HEALTHY_MS = 120_000
const AGAIN_MS = 30_000
const POLL_MS = 250
const PAUSES = 5
/** How long who is told to stop may take, as in podman-compose.yaml. */
const GRACE = ['-t', '60']
/** What is replaced by a restart; the servers are not. */
const SERVICES = ['chat', 'presence', 'lab', 'gateway']
/** Of these one more can stand in for the one that is replaced. */
const SHARED = ['chat', 'presence', 'gateway']

/** Blows to the containers of a compose project. Each rejects with CliError. */
export interface ComposeStack {
  /** Everything that lasts. */
  readonly parts: readonly string[]
  look(part: string): Promise<Container>
  /** Ends it by SIGKILL, and starts it again, as a restart policy would: podman takes its own kill for wanted. */
  kill(part: string): Promise<string>
  /** Stops all its processes; a process of its own lets them go on after `forMs`, whatever becomes of this one. */
  freeze(part: string, forMs: number): Promise<string>
  wake(part: string): Promise<string>
  /**
   * One after the other, each healthy before the next. Of a service of which there is only one, one more stands in meanwhile, where
   * podman knows how the first was made. Nobody named: all services. With `signal`, what was not begun then is left as it is.
   */
  restart(
    named: readonly string[],
    onDone: (part: string, ms: number) => void,
    signal?: AbortSignal,
  ): Promise<void>
  /** One more container like that of the service, which nobody starts again. Resolves when it is healthy. */
  launch(service: string, name: string): Promise<Spare>
  /** Where the stack is reached from outside; undefined when it is not. */
  readonly address: string | undefined
}

/** A container that was launched. It is taken away when it ends. */
export interface Spare {
  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGTERM' | 'SIGKILL'): Promise<void>
  readonly ended: Promise<void>
}

const serviceOf = (part: string): string => part.replace(/-\d+$/, '')

/** @throws CliError when nothing of that project runs. */
export async function composeStack(project: string): Promise<ComposeStack> {
  const containers = await containersOf(project)
  if (containers.length === 0)
    throw new CliError(`there are no containers of a compose project "${project}".`)
  const lasting = containers.filter(({ state }) => state !== 'ended')

  function idOf(part: string): string {
    const found = containers.find((each) => each.part === part)
    if (found) return found.id
    throw new CliError(
      `there is no container of ${part}. There are: ${lasting.map((each) => each.part).join(', ')}.`,
    )
  }

  async function look(part: string): Promise<Container> {
    const [now] = await inspect([idOf(part)])
    return now!
  }

  async function running(part: string): Promise<Container> {
    const now = await look(part)
    if (now.state === 'running') return now
    throw new CliError(`${part} is ${now.state === 'frozen' ? 'frozen' : 'not running'} at the moment.`)
  }

  /** `nobodyStarts`: it has no restart policy, and may have come up while what it needs was away. */
  async function healthy(id: string, { nobodyStarts = false } = {}): Promise<void> {
    const deadline = Date.now() + HEALTHY_MS
    for (;;) {
      const [now] = await inspect([id])
      if (now?.ready) return
      if (now?.state === 'ended' && nobodyStarts) await podman(['start', id])
      if (Date.now() > deadline) {
        const said = await podman(['logs', '--tail', '3', id]).catch(() => '')
        throw new CliError(`${now?.part ?? id} is not healthy, but ${now?.state}. ${said}`.trim())
      }
      await sleep(POLL_MS)
    }
  }

  /** A container whose health is being looked at at this moment may not let itself be stopped. */
  async function pause(id: string): Promise<void> {
    for (let left = PAUSES; ; left -= 1) {
      try {
        await podman(['pause', id])
        return
      } catch (error) {
        const [now] = await inspect([id])
        if (now?.state === 'frozen') return
        if (left === 1 || now?.state === 'ended') throw error
        await sleep(POLL_MS)
      }
    }
  }

  /** Until it runs as another process: "kill" may be back before it is dead, and "start" does nothing to who is not. */
  async function startAnew({ id, pid, part }: Container): Promise<void> {
    let cause: unknown
    for (const deadline = Date.now() + AGAIN_MS; Date.now() < deadline; await sleep(POLL_MS)) {
      const [now] = await inspect([id])
      if (now?.state === 'running' && now.pid !== pid) return
      if (now?.state === 'ended')
        await podman(['start', id]).catch((error: unknown) => {
          cause = error
        })
    }
    throw new CliError(`${part} was killed, and does not start again.`, { cause })
  }

  async function launch(service: string, name: string): Promise<Spare> {
    const { madeBy } = await look(service)
    if (madeBy.length === 0)
      throw new CliError(`podman does not know how ${service} was made, and cannot make one more.`)
    const full = `${project}_${name}`
    // What is left of one whose drill could not clean up; not one that still runs.
    await podman(['rm', '--ignore', full])
    const id = (await podman(madeLike(madeBy, { name: full, part: name }))).trim()
    const remove = () => podman(['rm', '-f', '-t', '0', '--ignore', id])
    try {
      await podman(['start', id])
      await healthy(id, { nobodyStarts: true })
    } catch (error) {
      await remove()
      throw error
    }
    const ended = podman(['wait', id], { timeoutMs: 0 })
      .catch(() => {})
      .then(remove)
      .then(
        () => {},
        () => {},
      )
    const does = {
      SIGCONT: ['unpause', id],
      SIGTERM: ['stop', ...GRACE, id],
      SIGKILL: ['rm', '-f', '-t', '0', '--ignore', id],
    }
    return {
      ended,
      signal: async (signal) => {
        if (signal === 'SIGSTOP') await pause(id)
        else await podman(does[signal])
      },
    }
  }

  return {
    parts: lasting.map(({ part }) => part),
    look,
    launch,
    address: lasting.flatMap(({ published }) => published)[0],
    async kill(part) {
      const now = await running(part)
      await podman(['kill', '--signal', 'KILL', now.id]).catch(async (error: unknown) => {
        // Two blows at once: the other one was quicker.
        if ((await look(part)).pid === now.pid) throw error
      })
      await startAnew(now)
      return now.id
    },
    async freeze(part, forMs) {
      const { id } = await running(part)
      // First who wakes it, then the freeze: it never sleeps without.
      const script = 'sleep "$1"; exec podman unpause "$2"'
      const guard = spawn('sh', ['-c', script, 'sh', String(forMs / 1_000), id], {
        detached: true,
        stdio: 'ignore',
      })
      guard.unref()
      await pause(id)
      return id
    },
    async wake(part) {
      const id = idOf(part)
      await podman(['unpause', id])
      return id
    },
    async restart(named, onDone, signal) {
      const chosen = named.length > 0 ? named : SERVICES
      const among = lasting.filter(({ part }) => chosen.includes(part) || chosen.includes(serviceOf(part)))
      const strangers = named.filter(
        (name) => !among.some(({ part }) => part === name || serviceOf(part) === name),
      )
      if (strangers.length > 0) throw new CliError(`there is no container of ${strangers.join(', ')}.`)
      for (const { part, id, madeBy } of among) {
        if (signal?.aborted) return
        const began = Date.now()
        const service = serviceOf(part)
        const alone = lasting.filter((each) => serviceOf(each.part) === service).length === 1
        const standsIn = alone && SHARED.includes(service) && madeBy.length > 0
        const spare = standsIn ? await launch(service, `${service}-stands-in`) : undefined
        try {
          await podman(['restart', ...GRACE, id])
          await healthy(id)
        } finally {
          await spare?.signal('SIGTERM')
          await spare?.ended
        }
        onDone(part, Date.now() - began)
      }
    },
  }
}
