import type { Command } from 'commander'
import { CliError, order } from './stack.ts'
import { durationOf } from './units.ts'

/** Commands that end, freeze and wake parts of the running stack. */
export function partCommands(program: Command, env: NodeJS.ProcessEnv): void {
  const command = (name: string, what: string) =>
    program
      .command(name)
      .description(what)
      .argument('<part>', 'chat, gateway, presence, lab, kafka or postgres')
      .option('--json', 'as JSON, for other programs')

  function done(part: string, pid: number | null, what: string, { json }: { json?: boolean }): void {
    if (pid === null) throw new CliError(`${part} is not running at the moment.`)
    console.log(json ? JSON.stringify({ part, pid }) : `${part} (process ${pid}) ${what}.`)
  }

  command('kill', 'end a part with -9; it is started again by itself').action(async (part: string, options) =>
    done(
      part,
      await order(env, 'parts/kill', { part }),
      'is killed with -9; it comes back by itself',
      options,
    ),
  )
  command('freeze', 'stop a part in its tracks (SIGSTOP); it goes on by itself when its time is over')
    .option('--for <time>', 'how long: 500ms, 30s, 5m, 1h at most', '10s')
    .action(async (part: string, options) => {
      const forMs = durationOf('--for', options.for)
      const what = `is frozen for ${options.for}; "klatsch wake ${part}" ends it sooner`
      done(part, await order(env, 'parts/freeze', { part, forMs }), what, options)
    })
  command('wake', 'let a frozen part go on at once (SIGCONT)').action(async (part: string, options) =>
    done(part, await order(env, 'parts/wake', { part }), 'goes on', options),
  )
}
