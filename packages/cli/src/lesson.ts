import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { CliError } from './stack.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const folder = join(root, 'docs/lessons')

/** A part of a lesson, with the command that it has one do. */
export interface Section {
  readonly title: string
  readonly text: string
  /** Arguments of `npm`. */
  readonly command?: readonly string[]
}

export interface Lesson {
  readonly name: string
  readonly title: string
  readonly intro: string
  readonly sections: readonly Section[]
}

/** What is shown of what others saw: whoever runs it sees it. */
const SEE = 'See'

/** All lessons, in their order: files `1-name.md` with a title, sections, and one command in some of them. */
export function lessons(): Lesson[] {
  return readdirSync(folder)
    .filter((file) => /^\d-.*\.md$/.test(file))
    .sort()
    .map((file) => lessonOf(basename(file, '.md').slice(2), readFileSync(join(folder, file), 'utf8')))
}

function lessonOf(name: string, text: string): Lesson {
  const [head = '', ...parts] = text.split(/^## /m)
  const [, title = name, intro = ''] = /^# (.*)\n([\s\S]*)$/.exec(head) ?? []
  const sections = parts.map((part): Section => {
    const [first = '', ...rest] = part.split('\n')
    const body = rest.join('\n').trim()
    const command = /```sh\nnpm (.*)\n```/.exec(body)?.[1]?.split(/\s+/)
    return { title: first.trim(), text: body, ...(command && { command }) }
  })
  return { name, title, intro: intro.trim(), sections }
}

export function lessonCommand(program: Command, signal: AbortSignal): void {
  program
    .command('lesson')
    .description('learn by breaking it: predict, run, see, explain')
    .argument('[name]', 'one of those that are listed without a name')
    .option('--yes', 'ask nothing, and run everything')
    .action(async (name: string | undefined, options: { yes?: boolean }) => {
      const all = lessons()
      if (name === undefined) {
        for (const each of all) console.log(`${each.name.padEnd(16)} ${each.title}`)
        return
      }
      const lesson = all.find((each) => each.name === name)
      if (!lesson)
        throw new CliError(`there is no lesson "${name}": ${all.map((each) => each.name).join(', ')}`)
      await tell(lesson, { yes: options.yes ?? false, signal })
    })
}

/** Goes through a lesson. Without a terminal to ask at, and without `yes`, it is only shown. */
async function tell(
  { title, intro, sections }: Lesson,
  { yes, signal }: { readonly yes: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const asks = !yes && process.stdin.isTTY === true
  let over = false
  const ask = async (question: string): Promise<string> => {
    if (!asks) return ''
    const terminal = createInterface({ input: process.stdin, output: process.stdout })
    try {
      return (await terminal.question(question, { signal })).trim()
    } catch (error) {
      // Ctrl-C and Ctrl-D: one has learnt enough.
      if ((error as Error).name !== 'AbortError') throw error
      over = true
      return 'n'
    } finally {
      terminal.close()
    }
  }
  console.log(`\n${title}\n\n${intro}\n`)
  let ran = false
  for (const section of sections) {
    if (over) return
    if (section.title === SEE && ran) continue
    console.log(`\n── ${section.title} ──\n\n${section.text}\n`)
    if (section.title === 'Predict') await ask('Your guess, and Enter: ')
    const { command } = section
    if (!command) continue
    ran = yes || (asks && (await ask('Run it now? [Y/n] ')).toLowerCase() !== 'n')
    if (ran) await run(command)
  }
}

/** Whatever comes of it is what is to be seen: a check that turns red is no failure here. */
function run(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('npm', args, { cwd: root, stdio: 'inherit' })
    child.on('error', reject)
    child.on('close', () => resolve())
  })
}
