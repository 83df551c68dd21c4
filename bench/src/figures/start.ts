import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { freePorts, startKafka, startPostgres } from '@klatsch/local-stack'
import { type Context, type Figure, row } from '../figure.ts'
import type { BareWsCalls } from '../floors/bare-ws.ts'
import { startProcess } from '../processes.ts'

const START_ROUNDS = 2
const START_MS = 120_000
const root = fileURLToPath(new URL('../../..', import.meta.url))

export const start: Figure = {
  name: 'start',
  describe: 'start-up times: npm start on an empty and on a used data folder, and each service',
  async measure(context) {
    const ours = { cold: [] as number[], warm: [] as number[] }
    const floor = { cold: [] as number[], warm: [] as number[] }
    for (let round = 0; round < START_ROUNDS; round += 1) {
      const dirs = { ours: join(context.dir, 'start'), floor: join(context.dir, 'servers') }
      for (const kind of ['cold', 'warm'] as const) {
        floor[kind].push(await servers(dirs.floor))
        ours[kind].push(await npmStart(dirs.ours))
      }
      for (const dir of Object.values(dirs)) rmSync(dir, { recursive: true, force: true })
    }
    const services = await serviceStarts(context)
    const against = 'Kafka and Postgres alone, side by side'
    const node = 'a Node process that listens'
    return [
      row({ what: 'npm start, empty data folder', unit: 's', against }, ours.cold, floor.cold),
      row({ what: 'npm start, used data folder', unit: 's', against, aim: '≤ 10 s' }, ours.warm, floor.warm),
      row({ what: 'chat, until ready', unit: 's', against: node }, services.chat, services.bare),
      row({ what: 'gateway, until ready', unit: 's', against: node }, services.gateway, services.bare),
    ]
  },
}

const since = (begin: number) => (performance.now() - begin) / 1_000

async function servers(dir: string): Promise<number> {
  const begin = performance.now()
  const started = await Promise.all([
    startKafka({ dir: join(dir, 'kafka') }),
    startPostgres({ dir: join(dir, 'postgres') }),
  ])
  const seconds = since(begin)
  await Promise.all(started.map((server) => server.stop()))
  return seconds
}

/** Seconds until it says that it is ready. Packages and Kafka's jars are there already. */
async function npmStart(dataDir: string): Promise<number> {
  const [port] = await freePorts(1)
  const begin = performance.now()
  const child = spawn(process.execPath, [join(root, 'infra/run.mjs'), 'infra/local/src/main.ts'], {
    env: {
      ...process.env,
      KLATSCH_DATA_DIR: dataDir,
      PORT: String(port),
      KAFKA_BROKERS: undefined,
      DATABASE_URL: undefined,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const late = setTimeout(() => child.kill('SIGTERM'), START_MS)
  let seconds: number | undefined
  const said: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line)
    if (seconds === undefined && line.includes('Klatsch is ready')) {
      seconds = since(begin)
      child.kill('SIGTERM')
    }
  }
  clearTimeout(late)
  await ended
  if (seconds === undefined) throw new Error(`npm start was not ready:\n${said.join('\n')}`)
  return seconds
}

async function serviceStarts(context: Context): Promise<Record<'bare' | 'chat' | 'gateway', number[]>> {
  const stack = await context.stack()
  const seconds: Record<'bare' | 'chat' | 'gateway', number[]> = { bare: [], chat: [], gateway: [] }
  for (let round = 0; round < START_ROUNDS; round += 1) {
    const begin = performance.now()
    const bare = startProcess<BareWsCalls>(new URL('../floors/bare-ws.ts', import.meta.url), {
      name: 'bare-ws',
      dir: context.dir,
    })
    await bare.call('port')
    seconds.bare.push(since(begin))
    await bare.stop()
    const chat = await stack.startChat()
    const gateway = await stack.startGateway(chat)
    seconds.chat.push((await chat.ready) / 1_000)
    seconds.gateway.push((await gateway.ready) / 1_000)
    await gateway.process.stop()
    await chat.process.stop()
  }
  return seconds
}
