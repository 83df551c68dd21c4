// The commands that documents have one type, and the names that lessons use: all of them are there. Nothing is run.
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { bugNames, errorCodes, topics } from '@klatsch/contracts'
import { scenarioOf, shippedScenarios } from '@klatsch/drills'
import { faultPoints } from '@klatsch/service-kit'
import { describe, expect, test } from 'vitest'
import { readSettings } from '../../infra/local/src/settings.ts'
import { orderOf } from '../../packages/cli/src/faults.ts'
import { lessons } from '../../packages/cli/src/lesson.ts'
import { networkOrder } from '../../packages/cli/src/network.ts'
import { klatschProgram } from '../../packages/cli/src/program.ts'
import vitestConfig from '../../vitest.config.ts'
import { simulationOptions } from '../simulation/arguments.ts'
import { root } from './workspace.ts'

type Program = ReturnType<typeof klatschProgram>

const PARTS = /^(chat|gateway(-\d+)?|presence|lab|kafka|postgres)$/
const SERVICES = ['chat', 'gateway', 'presence', 'lab']

const documents = globSync('{*.md,docs/**/*.md,packages/*/*.md}', {
  cwd: root,
  exclude: (path) => ['node_modules', '.klatsch'].includes(basename(path)),
}).sort()
const folder = 'docs/lessons/'

/** What a command is checked for besides its form, by its name. */
const checks: Readonly<Record<string, (args: readonly string[], options: never) => void>> = {
  drill: ([name], { bugs }: { bugs?: string }) => {
    if (name !== undefined && !name.endsWith('.json')) scenarioOf(name)
    for (const bug of bugs?.split(',') ?? []) expect(bugNames).toContain(bug)
  },
  drills: ([names]) => {
    for (const name of (names ?? []) as readonly string[]) scenarioOf(name)
  },
  lesson: ([name]) => {
    if (name !== undefined) expect(lessons().map((lesson) => lesson.name)).toContain(name)
  },
  set: ([point = '', kind = ''], options) => {
    orderOf(point, kind, options)
    expect(Object.keys(faultPoints)).toContain(point)
    expect(faultPoints[point as keyof typeof faultPoints].effects).toContain(kind)
  },
  network: ([target], options: { service?: readonly string[] }) => {
    if (target !== undefined) networkOrder(target, options as never)
    for (const service of options.service ?? []) expect(SERVICES).toContain(service)
  },
  tail: ([names]) => knownTopics(names),
  replay: ([names]) => knownTopics(names),
  kill: ([part]) => expect(part).toMatch(PARTS),
  freeze: ([part]) => expect(part).toMatch(PARTS),
  wake: ([part]) => expect(part).toMatch(PARTS),
  restart: ([names]) => {
    for (const name of (names ?? []) as readonly string[]) expect(name).toMatch(PARTS)
  },
}

function knownTopics(names: unknown): void {
  const known: readonly string[] = Object.values(topics).map(({ name }) => name)
  for (const name of names as readonly string[]) expect(known).toContain(name)
}

/** What is said on the command line, with nothing behind it. */
function program(): Program {
  const made = klatschProgram({ env: {}, signal: new AbortController().signal })
  const hollow = (command: Program): void => {
    // Else the process would end, for help as well.
    command.exitOverride((error) => {
      throw error
    })
    command.configureOutput({ writeErr: () => {}, writeOut: () => {} })
    if (command !== made)
      command.action((...given: unknown[]) => {
        const [options, args] = [given.at(-2), given.slice(0, -2)]
        checks[command.name()]?.(args as readonly string[], options as never)
      })
    for (const each of command.commands) hollow(each as Program)
  }
  hollow(made)
  return made
}

/** Rejects when it is not understood. */
async function parsed(args: readonly string[]): Promise<void> {
  try {
    await program().parseAsync([...args], { from: 'user' })
  } catch (error) {
    if ((error as { exitCode?: number }).exitCode !== 0) throw error
  }
}

/** Understands a script and its arguments as it would itself. Rejects with what is wrong. */
async function understand(script: string, args: readonly string[]): Promise<void> {
  switch (script) {
    case 'klatsch':
      return parsed(args)
    case 'drill':
    case 'drills':
      return parsed([script, ...args])
    case 'simulate': {
      const { values } = parseArgs({ args: [...args], options: simulationOptions })
      for (const bug of values.bugs.split(',').filter(Boolean)) expect(bugNames).toContain(bug)
      return
    }
    case 'start':
      readSettings(args, {})
      return
    case 'test': {
      const { values, positionals } = parseArgs({
        ...{ args: [...args], allowPositionals: true },
        options: { project: { type: 'string' } },
      })
      for (const file of positionals) expect(globSync(file, { cwd: root })).toEqual([file])
      const projects = vitestConfig.test?.projects?.map(
        (each) => (each as { test: { name: string } }).test.name,
      )
      if (values.project !== undefined) expect(projects).toContain(values.project)
    }
  }
}

interface Typed {
  readonly line: string
  readonly script: string
  readonly args: readonly string[]
}

/** Every call of one of our scripts in a text: in blocks of code, and in code within sentences. */
function typedIn(text: string): Typed[] {
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, block]) => block!.split('\n'))
  const indented = text.split('\n').filter((line) => /^ {4}\S/.test(line))
  const inline = [...text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`\n]+)`/g)].map(
    ([, code]) => code!,
  )
  return [...blocks, ...indented, ...inline].flatMap(callsIn)
}

function callsIn(line: string): Typed[] {
  const commands = line.replace(/\s+#.*$/, '').split(/ \| /)
  return commands.flatMap((command) => {
    const call = /^\s*(?:\w+=\S+ )*npm (?:run (?:-s )?([\w:-]+)|(start|test))\b(?: -- (.*))?$/.exec(
      command.trimEnd(),
    )
    if (!call) return []
    const [, run, short, rest = ''] = call
    return [{ line: command.trim(), script: run ?? short!, args: wordsOf(rest) }]
  })
}

/** Of a shell; what is to be filled in is a word, and where the output goes is none. */
function wordsOf(text: string): string[] {
  const plain = text.replaceAll(/<[^>]+>/g, 'something').replace(/ > \S+$/, '')
  return [...plain.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2]!)
}

describe.each(documents)('%s has one type only what is understood', (document) => {
  const text = readFileSync(join(root, document), 'utf8')

  test.each(typedIn(text))('$line', ({ script, args }) => understand(script, args))

  test('commands of klatsch that are named', () => {
    const known = program().commands.map((command) => command.name())
    const named = [...text.matchAll(/`klatsch ([a-z]+)/g)].map(([, name]) => name!)
    for (const name of named) expect(known).toContain(name)
  })
})

test('commands that are wrong are not understood', async () => {
  for (const line of [
    'npm run drill -- kill-chatt',
    'npm run drill -- kill-chat --size',
    'npm run drill -- kill-chat --bugs dedupe',
    'npm run drills -- --rounds slow',
    'npm run simulate -- --bug dedupe-off',
    'npm run klatsch -- lesson ordering-by-key',
    'npm run klatsch -- faults set chat.persists error --for 1s',
    'npm run klatsch -- faults set chat.persist shift --ms 5 --for 1s',
    'npm run klatsch -- tail chat.event',
    'npm run klatsch -- kill web',
    'npm run klatsch -- look',
    'npm start -- --rest',
    'npm test -- tests/nothing.test.ts',
  ]) {
    const [{ script, args }] = typedIn(`\`${line}\``) as [Typed]
    await expect(understand(script, args), line).rejects.toThrow()
  }
})

test('the examples in the help of klatsch are understood', async () => {
  const lines: string[] = []
  const help = (command: Program): void => {
    command.configureOutput({ writeOut: (text) => lines.push(...text.split('\n')) })
    command.outputHelp()
    for (const each of command.commands) help(each as Program)
  }
  help(klatschProgram({ env: {}, signal: new AbortController().signal }))
  const examples = lines
    .flatMap(
      (line) =>
        /^ +((?:[^`]* \| )?(?:npm run (?:-s )?klatsch -- |klatsch (?=[a-z]))\S.*?)(?: {3,}.*)?$/.exec(
          line,
        )?.[1] ?? [],
    )
    .map((line) => line.replace(/^klatsch /, 'npm run klatsch -- '))
  expect(examples.length).toBeGreaterThan(20)
  for (const example of examples) {
    const calls = callsIn(example)
    expect(calls, example).not.toEqual([])
    for (const { script, args } of calls) await understand(script, args)
  }
})

describe.each(globSync(`${folder}*.md`, { cwd: root }))('%s names only what there is', (document) => {
  const text = readFileSync(join(root, document), 'utf8')

  test('bugs', () => {
    for (const [, names] of text.matchAll(/--bugs ([\w,-]+)/g))
      for (const name of names!.split(',')) expect(bugNames).toContain(name)
  })

  test('fault points, topics and codes', () => {
    const known = [
      ...Object.keys(faultPoints),
      ...Object.values(topics).map(({ name }) => name),
      ...Object.keys(errorCodes),
    ]
    const named = [
      ...text.matchAll(
        /(?<![\w/.-])(chat|gateway|presence|lab|room|command|server)(\.[a-z]+)+\b(?!\.(ts|md))/g,
      ),
    ]
    for (const [name] of named) expect(known).toContain(name)
    for (const [, effect, point] of text.matchAll(/ s {2}(\w+) at ([\w.-]+) /g)) {
      expect(Object.keys(faultPoints)).toContain(point)
      expect(faultPoints[point as keyof typeof faultPoints].effects).toContain(effect)
    }
  })

  test('drills, by what their reports end with', () => {
    const known = shippedScenarios().map(({ name }) => name)
    for (const [, name] of text.matchAll(/^ {2}([a-z-]+), seed \d+:/gm)) expect(known).toContain(name)
  })

  test('flags', () => {
    const known = [
      ...Object.keys(simulationOptions).map((name) => `--${name}`),
      ...program().commands.flatMap((command) => command.options.map(({ long }) => long)),
      ...['--project', '--help'],
    ]
    for (const [flag] of text.matchAll(/(?<![\w-])--[a-z][a-z-]*/g)) expect(known).toContain(flag)
  })
})
