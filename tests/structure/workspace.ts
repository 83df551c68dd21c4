import { globSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

export interface Package {
  /** Without the scope: `event-bus`. */
  readonly name: string
  /** From the top of the checkout. */
  readonly folder: string
  /** What its code may import at run time, by package.json. */
  readonly dependencies: readonly string[]
}

export interface Import {
  readonly specifier: string
  /** Gone at run time. */
  readonly typeOnly: boolean
}

export interface Source {
  /** From the top of the checkout. */
  readonly file: string
  readonly package: string
  /** A test, or a helper of tests. */
  readonly isTest: boolean
  readonly imports: readonly Import[]
}

const SCOPE = '@klatsch/'
const WORKSPACE = ['packages/*', 'services/*', 'frontend', 'infra/local', 'tests', 'bench', 'examples']
const IMPORT =
  /^\s*(?:import|export)\s+(type\s+)?(?:[^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm

export const packages: readonly Package[] = globSync(
  WORKSPACE.map((folder) => `${folder}/package.json`),
  { cwd: root },
)
  .map((file) => {
    const { name, dependencies = {} } = JSON.parse(readFileSync(join(root, file), 'utf8'))
    return { name: name.replace(SCOPE, ''), folder: dirname(file), dependencies: Object.keys(dependencies) }
  })
  .sort((a, b) => a.name.localeCompare(b.name))

export const sources: readonly Source[] = packages.flatMap(({ name, folder }) =>
  globSync(`${folder}/**/*.{ts,tsx}`, {
    cwd: root,
    exclude: (path) => ['node_modules', 'dist', 'generated'].includes(basename(path)),
  })
    .filter((file) => packageOf(file) === folder)
    .map((file) => ({
      file,
      package: name,
      isTest: /\.test\.tsx?$|(^|\/)test(s|ing)?\//.test(file),
      imports: importsOf(readFileSync(join(root, file), 'utf8')),
    })),
)

/** The innermost workspace folder around a file. */
function packageOf(file: string): string | undefined {
  return packages
    .map(({ folder }) => folder)
    .filter((folder) => !relative(folder, file).startsWith('..'))
    .sort((a, b) => b.length - a.length)[0]
}

export function importsOf(text: string): Import[] {
  const code = text.replaceAll(/^\s*(?:\/\/|\*|\/\*).*$/gm, '')
  return [...code.matchAll(IMPORT)].map((match) => ({
    specifier: match[2] ?? match[3] ?? '',
    typeOnly: match[1] !== undefined,
  }))
}

/** `streams` of `@klatsch/streams`; undefined for what is not ours. */
export const ours = (specifier: string): string | undefined =>
  specifier.startsWith(SCOPE) ? specifier.slice(SCOPE.length).split('/')[0] : undefined

/** `zod` of `zod/v4`, `@noble/hashes` of `@noble/hashes/sha2.js`; undefined for files, built-ins and our own. */
export function library(specifier: string): string | undefined {
  if (/^[./#]|^node:/.test(specifier) || ours(specifier)) return undefined
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
