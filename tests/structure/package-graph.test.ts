import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'
import { importsOf, library, ours, packages, type Source, sources } from './workspace.ts'

const libraries = [
  'contracts',
  'streams',
  'event-bus',
  'client',
  'service-kit',
  'local-stack',
  'drills',
  'cli',
]

/** Which of our packages a package may import. A package that is not named here has not been thought about. */
const mayImport: Record<string, readonly string[]> = {
  contracts: [],
  streams: ['contracts'],
  'event-bus': ['contracts', 'streams'],
  client: ['contracts', 'streams'],
  'service-kit': ['contracts'],
  'local-stack': ['streams'],
  drills: ['contracts', 'streams', 'client', 'event-bus', 'local-stack'],
  cli: ['contracts', 'client', 'event-bus', 'service-kit', 'local-stack', 'drills'],
  chat: ['contracts', 'streams', 'event-bus', 'service-kit'],
  gateway: ['contracts', 'streams', 'event-bus', 'service-kit'],
  presence: ['contracts', 'event-bus', 'service-kit'],
  lab: ['contracts', 'event-bus', 'service-kit'],
  page: ['contracts', 'streams', 'client'],
  bench: libraries,
  examples: ['contracts', 'client'],
  // The simulation runs the services' own decisions.
  'system-tests': [...libraries, 'chat', 'gateway', 'presence'],
}

/** What runs in a browser, too. */
const everywhere = ['contracts', 'streams', 'client', 'page']

const code = sources.filter((source) => !source.isTest)
const of = (...names: string[]): Source[] => code.filter((source) => names.includes(source.package))

/** `file imports specifier` for every import that is not allowed. */
const violations = (
  among: readonly Source[],
  isAllowed: (specifier: string, source: Source) => boolean,
): string[] =>
  among.flatMap((source) =>
    source.imports
      .filter(({ specifier }) => !isAllowed(specifier, source))
      .map(({ specifier }) => `${source.file} imports ${specifier}`),
  )

test('imports are found in the ways they are written', () => {
  const text = [
    "import a from 'one'",
    "import type { B } from './two.ts'",
    "import {\n  c,\n} from '@klatsch/three'",
    "import 'four'",
    "export { d } from './five.ts'",
    "const e = await import('six')",
    "// import x from 'no'",
  ].join('\n')
  expect(importsOf(text).map(({ specifier }) => specifier)).toEqual([
    'one',
    './two.ts',
    '@klatsch/three',
    'four',
    './five.ts',
    'six',
  ])
  expect(sources.length).toBeGreaterThan(50)
})

describe('who may import whom', () => {
  test.each(packages.map(({ name }) => name))('%s', (name) => {
    expect(mayImport, `${name} is not in the table of this test`).toHaveProperty([name])
    const allowed = [...mayImport[name]!, name]
    expect(violations(of(name), (specifier) => allowed.includes(ours(specifier) ?? name))).toEqual([])
    const declared = packages.find((each) => each.name === name)!.dependencies
    expect(declared.filter((each) => ours(each) && !allowed.includes(ours(each)!))).toEqual([])
  })

  test('no package imports itself in a circle', () => {
    const circles = packages.flatMap(({ name }) => {
      const seen = new Set<string>()
      const visit = (from: string): boolean =>
        (mayImport[from] ?? []).some((to) => {
          if (to === name) return true
          if (seen.has(to)) return false
          seen.add(to)
          return visit(to)
        })
      return visit(name) ? [name] : []
    })
    expect(circles).toEqual([])
  })

  test('what a package imports is in its package.json', () => {
    const declared = new Map(packages.map(({ name, dependencies }) => [name, dependencies]))
    const missing = violations(code, (specifier, source) => {
      const name = ours(specifier) ? `@klatsch/${ours(specifier)}` : library(specifier)
      return (
        name === undefined ||
        source.package === 'system-tests' ||
        isDevelopment(source) ||
        declared.get(source.package)!.includes(name)
      )
    })
    expect(missing).toEqual([])
  })

  test('no file of a package reaches into another one by its path', () => {
    const folders = new Map(packages.map(({ name, folder }) => [name, folder]))
    const inside = (specifier: string, source: Source) =>
      !specifier.startsWith('.') ||
      source.package === 'system-tests' ||
      normalize(join(dirname(source.file), specifier)).startsWith(`${folders.get(source.package)}/`)
    expect(violations(code, inside)).toEqual([])
  })

  test('no two files import each other in a circle', () => {
    const edges = new Map(
      sources.map((source) => [
        source.file,
        source.imports
          .filter(({ specifier, typeOnly }) => !typeOnly && specifier.startsWith('.'))
          .map(({ specifier }) => normalize(join(dirname(source.file), specifier))),
      ]),
    )
    const done = new Set<string>()
    const circles: string[] = []
    const visit = (file: string, path: readonly string[]) => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '))
      if (path.includes(file) || done.has(file)) return
      for (const next of edges.get(file) ?? []) visit(next, [...path, file])
      done.add(file)
    }
    for (const file of edges.keys()) visit(file, [])
    expect(circles).toEqual([])
  })
})

describe('what may be imported from outside', () => {
  test('contracts: zod, uuid, canonicalize, @noble/hashes, and nothing else', () => {
    const allowed = ['zod', 'uuid', 'canonicalize', '@noble/hashes']
    expect(violations(of('contracts'), (specifier) => allowed.includes(library(specifier) ?? 'zod'))).toEqual(
      [],
    )
  })

  test('only event-bus knows a Kafka client; the bench measures against it', () => {
    const others = sources.filter((source) => !['event-bus', 'bench'].includes(source.package))
    expect(violations(others, (specifier) => library(specifier) !== 'kafkajs')).toEqual([])
  })

  test('what runs in a browser uses nothing of Node', () => {
    const browser = of(...everywhere).filter((source) => !/\.node\.ts$|vite\.config\.ts$/.test(source.file))
    expect(violations(browser, (specifier) => !specifier.startsWith('node:'))).toEqual([])
  })

  test('domain/ imports contracts, streams and its own folder', () => {
    const domain = code.filter((source) => source.file.includes('/domain/'))
    expect(domain.length).toBeGreaterThan(0)
    const allowed = (specifier: string, source: Source) => {
      if (!specifier.startsWith('.')) return ['contracts', 'streams'].includes(ours(specifier) ?? '')
      const [service] = source.file.split('/domain/')
      return normalize(join(dirname(source.file), specifier)).startsWith(`${service}/domain/`)
    }
    expect(violations(domain, allowed)).toEqual([])
  })
})

/** Configuration of tools, which development dependencies are for. */
function isDevelopment(source: Source): boolean {
  return /\.config\.ts$/.test(source.file)
}
