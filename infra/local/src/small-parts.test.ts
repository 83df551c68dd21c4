import { createServer } from 'node:net'
import { PassThrough } from 'node:stream'
import { afterEach, describe, expect, test } from 'vitest'
import { fileNameOf, jarLock } from './jars.ts'
import { majorOf } from './java.ts'
import { freePorts, probePort } from './ports.ts'
import { Problem } from './problem.ts'
import { readSettings } from './settings.ts'
import { stackEnv } from './stack-env.ts'
import { terminal, worthShowing } from './terminal.ts'

describe('java', () => {
  test.each([
    ['openjdk version "17.0.15" 2025-04-15', 17],
    ['openjdk version "25" 2025-09-16 LTS', 25],
    ['java version "1.8.0_412"', 8],
    ['Picked up something\nopenjdk version "21-ea"', 21],
    ['no such thing', 0],
  ])('the major version of %j is %i', (text, major) => expect(majorOf(text)).toBe(major))
})

describe('the lock file of Kafka', () => {
  test('names every jar by coordinates, size and sha256, and no file twice', () => {
    const { jars, kafka } = jarLock()
    expect(jars.map((jar) => jar.coordinates)).toContain(`org.apache.kafka:kafka_2.13:${kafka}`)
    expect(jars.every((jar) => /^[0-9a-f]{64}$/.test(jar.sha256) && jar.size > 0)).toBe(true)
    expect(new Set(jars.map((jar) => fileNameOf(jar.coordinates))).size).toBe(jars.length)
  })
})

describe('settings', () => {
  test('have defaults, and an empty value counts as absent', () => {
    expect(readSettings([], { PORT: '', HOST: '' })).toMatchObject({
      port: 8080,
      host: '127.0.0.1',
      reset: false,
    })
    expect(readSettings(['--reset'], { PORT: '9000' })).toMatchObject({ port: 9000, reset: true })
  })
  test.each(['0', '65536', 'eighty', '80.5', '-1'])('PORT=%s is refused with a sentence', (PORT) => {
    expect(() => readSettings([], { PORT })).toThrow(Problem)
    expect(() => readSettings([], { PORT })).toThrow(`PORT=${PORT}`)
  })
  test('a DATABASE_URL that is none is refused without showing what may be a password', () => {
    const read = () => readSettings([], { DATABASE_URL: 'klatsch:secret@host/db' })
    expect(read).toThrow(/DATABASE_URL \(must be postgres:/)
    expect(read).not.toThrow(/secret/)
  })
  test.each([['--rest'], ['reset'], ['-x']])(
    'an unknown argument %s is refused with a sentence',
    (argument) => {
      expect(() => readSettings([argument], {})).toThrow(Problem)
    },
  )
})

describe('the environment of the services', () => {
  const stack = {
    brokers: 'own:1',
    databaseUrl: 'postgres://own/x',
    chatPort: 2,
    presencePort: 4,
    labPort: 5,
    port: 3,
    pageDir: '/page',
    admin: 'ada',
    share: true,
  }

  test('servers of our own are reached plainly, whatever is set for others', () => {
    const env = stackEnv(
      { KAFKA_SSL: 'true', KAFKA_SASL_MECHANISM: 'plain', DATABASE_SSL: 'true', PGSSLMODE: 'require' },
      stack,
    )
    expect(env.chat).toMatchObject({ KAFKA_BROKERS: 'own:1', KAFKA_SSL: 'false', DATABASE_SSL: 'false' })
    expect(env.chat.KAFKA_SASL_MECHANISM).toBeUndefined()
    expect(env.chat.PGSSLMODE).toBeUndefined()
  })
  test("a user's own servers are reached as the user says", () => {
    const env = stackEnv(
      {
        KAFKA_BROKERS: 'far:1',
        KAFKA_SSL: 'true',
        KAFKA_SASL_MECHANISM: 'plain',
        DATABASE_URL: 'postgres://far/x',
        DATABASE_SSL: 'true',
      },
      { ...stack, brokers: 'far:1', databaseUrl: 'postgres://far/x' },
    )
    expect(env.chat).toMatchObject({ KAFKA_SSL: 'true', KAFKA_SASL_MECHANISM: 'plain', DATABASE_SSL: 'true' })
    expect(env.gateway).toMatchObject({ KAFKA_SSL: 'true', KAFKA_SASL_MECHANISM: 'plain' })
  })
  test('the services share one secret, chat and presence stay on loopback, and the gateway and presence get no database', () => {
    const env = stackEnv({ HOST: '0.0.0.0' }, stack)
    expect(env.chat.INTERNAL_TOKEN).toBe(env.gateway.INTERNAL_TOKEN)
    expect(env.chat).toMatchObject({ HOST: '127.0.0.1', PORT: '2' })
    expect(env.gateway).toMatchObject({ HOST: '0.0.0.0', PORT: '3', CHAT_URL: 'http://127.0.0.1:2' })
    expect(env.presence).toMatchObject({ HOST: '127.0.0.1', PORT: '4', KAFKA_BROKERS: 'own:1' })
    expect([env.gateway.DATABASE_URL, env.presence.DATABASE_URL]).toEqual([undefined, undefined])
  })
  test("the laboratory is on in a stack of one's own, unless it is switched off", () => {
    const on = stackEnv({}, stack)
    expect([on.chat.LAB_ENABLED, on.gateway.LAB_ENABLED, on.lab.LAB_ENABLED]).toEqual([
      'true',
      'true',
      'true',
    ])
    expect(on.lab).toMatchObject({ HOST: '127.0.0.1', PORT: '5', DATABASE_URL: 'postgres://own/x' })
    expect(on.gateway.LAB_URL).toBe('http://127.0.0.1:5')
    expect(stackEnv({ LAB_ENABLED: 'false' }, stack).gateway.LAB_ENABLED).toBe('false')
  })
})

describe('the terminal', () => {
  test('shows warnings and what is no log entry, and keeps the rest for the log file', () => {
    expect(worthShowing('{"level":"info","msg":"all well"}')).toBeUndefined()
    expect(worthShowing('{"level":"warn","msg":"careful"}')).toBe('careful')
    expect(
      worthShowing('{"level":"warn","part":"kafkajs Connection","msg":"the broker is away"}'),
    ).toBeUndefined()
    expect(worthShowing('{"level":"error","msg":"broken","err":{"message":"no disk"}}')).toBe(
      'broken (no disk)',
    )
    expect(worthShowing('{"broken":')).toBe('{"broken":')
    expect(worthShowing('Error: at the very start')).toBe('Error: at the very start')
    expect(worthShowing('   ')).toBeUndefined()
  })
  test('does not repeat the same words within ten seconds', () => {
    const out = new PassThrough()
    let now = 0
    const { line } = terminal(out as unknown as NodeJS.WriteStream, () => now)
    for (const at of [0, 5_000, 9_999, 10_001]) {
      now = at
      line('chat', 'the broker is away')
    }
    expect(String(out.read()).match(/away/g)).toHaveLength(2)
  })
})

describe('ports', () => {
  const servers: { close(): void }[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
  })

  test('a port somebody listens on is busy', async () => {
    const [port] = (await freePorts(1)) as [number]
    expect(await probePort(port)).toBe('free')
    const server = createServer().listen(port, '127.0.0.1')
    servers.push(server)
    await new Promise((resolve) => server.once('listening', resolve))
    expect(await probePort(port)).toBe('busy')
  })
  test('free ones differ, and lie where no outgoing connection is given a port', async () => {
    const ports = await freePorts(20)
    expect(new Set(ports).size).toBe(20)
    expect(ports.every((port) => port >= 20_000 && port < 32_000)).toBe(true)
  })
  test('what is given out is not given again before its owner had time to listen', async () => {
    const first = await freePorts(500)
    const second = await Promise.all(Array.from({ length: 500 }, () => freePorts(1)))
    expect(new Set([...first, ...second.flat()]).size).toBe(1_000)
  })
})
