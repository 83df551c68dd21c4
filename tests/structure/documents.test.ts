import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'
import { packages, root } from './workspace.ts'

const documents = globSync('{*.md,docs/**/*.md,packages/*/*.md,services/*/*.md,infra/**/*.md}', {
  cwd: root,
  exclude: (path) => ['node_modules', '.klatsch'].includes(basename(path)),
}).sort()
const { scripts }: { scripts: Record<string, string> } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
)

/** Folders at the top: a name in backticks that begins with one of them is taken for a path. */
const TOP = /^(packages|services|frontend|infra|tests|bench|examples|docs|\.ci)\/[\w@.*<>{},/-]*$/

test('there are documents to read', () => expect(documents).toContain('README.md'))

describe.each(documents)('%s names only what exists', (document) => {
  const text = readFileSync(join(root, document), 'utf8')

  test('links', () => {
    const links = [...text.matchAll(/\]\(([^)\s]+)\)|<img[^>]+src="([^"]+)"/g)].map(
      (match) => match[1] ?? match[2] ?? '',
    )
    const missing = links
      .filter((link) => !/^[a-z]+:|^#/.test(link))
      .map((link) => normalize(join(dirname(document), decodeURI(link.split('#')[0]!))))
      .filter((path) => !existsSync(join(root, path)))
    expect(missing).toEqual([])
  })

  test('paths', () => {
    const names = [...text.matchAll(/`([^`\n]+)`/g)].flatMap(([, code]) => code!.split(/\s+/))
    const paths = names.map((name) => name.replace(/[:#].*$/, '')).filter((name) => TOP.test(name))
    const missing = paths.filter(
      (path) => globSync(path.replaceAll(/<[^>]+>/g, '*').replace(/\/$/, ''), { cwd: root }).length === 0,
    )
    expect(missing).toEqual([])
  })

  test('scripts', () => {
    const named = [...text.matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g)].map(
      (match) => match[1] ?? match[2]!,
    )
    expect(named.filter((name) => !(name in scripts))).toEqual([])
  })

  test('packages', () => {
    const known = packages.map(({ name }) => `@klatsch/${name}`)
    expect(
      [...text.matchAll(/@klatsch\/[\w-]+/g)].map(([name]) => name).filter((name) => !known.includes(name)),
    ).toEqual([])
  })
})
