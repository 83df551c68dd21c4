// `npm run klatsch -- chat` as a person and as a shell use it, on the real stack.
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import xterm from '@xterm/headless'
import { v7 } from 'uuid'
import { afterEach, beforeAll, describe, expect, inject, test } from 'vitest'
import { call, freshName, idOf, registered, roomOf, type TestPerson } from './people.ts'
import { watch } from './presence-wire.ts'
import { acked, enter, sendFrame, type Wire } from './wire.ts'

const PATIENT = { timeout: 30_000, interval: 50 }
const main = join(import.meta.dirname, '../../packages/cli/src/main.ts')
const open: (() => void)[] = []
afterEach(() => {
  for (const close of open.splice(0)) close()
})

let ada: TestPerson
let room: string
let wire: Wire
beforeAll(async () => {
  ada = await registered()
  room = await roomOf(ada)
  wire = await enter(ada.token)
})

function command(...args: string[]): string[] {
  return ['--disable-warning=ExperimentalWarning', main, 'chat', '--url', inject('stack').baseUrl, ...args]
}

function chat(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, command(...args), {
    env: { ...process.env, KLATSCH_PASSWORD: '', ...env },
  })
  return watched(child)
}

function watched(child: ChildProcessWithoutNullStreams) {
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    err += text
  })
  const code = new Promise<number | null>((resolve) => child.on('close', resolve))
  open.push(() => child.kill('SIGKILL'))
  return {
    child,
    code,
    out: () => out,
    err: () => err,
    shows: (text: string | RegExp) => expect.poll(() => out, PATIENT).toMatch(text),
  }
}

const texts = async (): Promise<string[]> =>
  (await call('GET', `/api/rooms/${idOf(room)}/messages`, { token: ada.token })).body.items.map(
    (message: { text: string }) => message.text,
  )
const asAda = () => ['--user', ada.user.username, '--room', room]
const PASSWORD = { KLATSCH_PASSWORD: 'correct horse battery' }

describe('with a pipe', () => {
  test('each line is a message, in order; it ends when all are confirmed and printed', async () => {
    const lines = Array.from({ length: 150 }, (_, n) => `line ${n} of a long story`)
    const { child, code, out } = chat(asAda(), PASSWORD)
    child.stdin.end(`${lines.join('\n')}\n\n`)
    expect(await code).toBe(0)
    expect((await texts()).filter((text) => text.includes('long story'))).toEqual(lines.slice(-50))
    const said = out().matchAll(/: (line \d+ of a long story)$/gm)
    expect([...said].map(([, text]) => text)).toEqual(lines)
  })

  test('a guest comes in by a name alone, to the room everyone shares', async () => {
    const name = freshName()
    const { child, code, out } = chat(['--name', name])
    child.stdin.end('Hello from a pipe\n')
    expect(await code).toBe(0)
    expect(out()).toContain(`${name}: Hello from a pipe`)
  })

  test('--json prints the events of the room as they are; Ctrl-C leaves cleanly', async () => {
    const { child, code, out, shows } = chat([...asAda(), '--json'], PASSWORD)
    child.stdin.write('are you there?\n')
    await shows('are you there')
    const seq = await acked(wire, sendFrame(v7(), room, 'I am\nhere'))
    await shows(`"seq":${seq}`)
    child.kill('SIGINT')
    expect(await code).toBe(130)
    const events = out()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const { body } = await call('GET', `/api/rooms/${idOf(room)}/events?after=${seq - 1}`, {
      token: ada.token,
    })
    expect(events.at(-1)).toEqual(body.items[0])
  })

  test('what is refused is said, and the exit code tells it from what was confirmed', async () => {
    const { child, code, err } = chat(asAda(), PASSWORD)
    child.stdin.end(`${'x'.repeat(9_000)}\nshort enough\n`)
    expect(await code).toBe(3)
    expect(err()).toMatch(/not sent: x+: /)
    expect(await texts()).toContain('short enough')
  })

  test('a wrong password, a room that is not there, a server that is not there: said in one line, exit code 1', async () => {
    const wrong = chat(asAda(), { KLATSCH_PASSWORD: 'not the password' })
    const nowhere = chat(['--user', ada.user.username, '--room', 'No such room'], PASSWORD)
    const nobody = watched(
      spawn(process.execPath, [
        '--disable-warning=ExperimentalWarning',
        main,
        'chat',
        '--url',
        'http://127.0.0.1:1',
        '--name',
        'x',
      ]),
    )
    const nameless = chat([])
    for (const each of [wrong, nowhere, nobody, nameless]) expect(await each.code).toBe(1)
    expect(wrong.err()).toBe('klatsch: The name or the password is wrong\n')
    expect(nowhere.err()).toBe('klatsch: there is no room called "No such room" that you may see.\n')
    expect(nobody.err()).toMatch(
      /^klatsch: nothing answers at http:\/\/127\.0\.0\.1:1\. Start it with "npm start"/,
    )
    expect(nameless.err()).toMatch(/use --name or --user/)
  })
})

// util-linux's, which gives a command a terminal of its own; others of this name take other options.
const hasScript = /util-linux/.test(spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout ?? '')

describe.skipIf(!hasScript)('on a terminal', () => {
  const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`

  /** The chat on a terminal of 100 × 30, and what a person sees there. */
  function sit(args: string[], env: Record<string, string> = {}) {
    const terminal = new xterm.Terminal({ cols: 100, rows: 30, allowProposedApi: true })
    const inside = `stty cols 100 rows 30; exec ${[process.execPath, ...command(...args)].map(quoted).join(' ')}`
    const child = spawn('script', ['-qefc', inside, '/dev/null'], {
      env: { ...process.env, TERM: 'xterm-256color', KLATSCH_PASSWORD: '', SHELL: '/bin/sh', ...env },
    })
    child.stdout.on('data', (bytes) => terminal.write(bytes))
    const seat = watched(child)
    const screen = () =>
      Array.from(
        { length: 30 },
        (_, row) => terminal.buffer.active.getLine(row)?.translateToString(true) ?? '',
      ).join('\n')
    return {
      ...seat,
      screen,
      /** The shell's screen, not the chat's. */
      atShell: () => terminal.buffer.active.type === 'normal',
      type: (text: string) => child.stdin.write(text),
      sees: (text: string | RegExp) => expect.poll(screen, PATIENT).toMatch(text),
    }
  }

  test('one reads, writes, sees who is here and types, scrolls back, changes rooms, and leaves', async () => {
    const other = await registered()
    const name = `Kitchen ${freshName()}`
    const kitchen = (await call('POST', '/api/rooms', { token: ada.token, body: { name } })).body.room.id
    await call('POST', `/api/rooms/${kitchen}/join`, { token: other.token })
    for (let n = 1; n <= 120; n += 1) await acked(wire, sendFrame(v7(), `room:${kitchen}`, `before ${n}.`))

    const seat = sit(['--user', other.user.username, '--room', name])
    await seat.sees('Password of')
    seat.type(`${PASSWORD.KLATSCH_PASSWORD}\r`)
    await seat.sees(/● connected/)
    await seat.sees(/before 120\./)
    expect(seat.screen()).not.toContain('correct horse')
    await seat.sees(/2 members, 2 here/)

    watch(wire, [], [`room:${kitchen}`])
    seat.type('Coffee is ready')
    await wire.first(
      (frame) =>
        frame.type === 'presence.typing.v1' && (frame.data as { user: string }).user === other.user.id,
    )
    wire.send({ type: 'signal', subject: `room:${kitchen}`, signal: 'typing', data: { typing: true } })
    await seat.sees(/ is typing…/)
    seat.type('\r')
    await expect
      .poll(
        async () =>
          (await call('GET', `/api/rooms/${kitchen}/messages`, { token: ada.token })).body.items.at(-1).text,
        PATIENT,
      )
      .toBe('Coffee is ready')
    await expect.poll(() => /sending|waiting/.test(seat.screen()), PATIENT).toBe(false)

    // All the way up, page by page, over HTTP.
    await expect
      .poll(() => {
        seat.type('\u001b[5~')
        return seat.screen()
      }, PATIENT)
      .toMatch(/this is where the room begins/)
    await acked(wire, sendFrame(v7(), `room:${kitchen}`, 'while you read'))
    await seat.sees(/1 new below/)
    expect(seat.screen()).toMatch(/this is where the room begins/)
    seat.type('\u001b')
    await seat.sees(/while you read/)

    seat.type('/who\r')
    await seat.sees(/● .*\(you\)/)
    seat.type('/join Global\r')
    // Whatever others have named it by now.
    await seat.sees(/› (?!Kitchen)[^/\s]/)
    await acked(wire, sendFrame(v7(), `room:${kitchen}`, 'come back'))
    await seat.sees(new RegExp(`${name.slice(0, 12)}.* 1 `))
    seat.type('\t')
    await seat.sees(/ new \n[^\n]*come back/)

    seat.type('\u0003')
    expect(await seat.code).toBe(0)
    expect(seat.atShell()).toBe(true)
    expect(seat.out()).toContain('\u001b[?25h')
  })
})
