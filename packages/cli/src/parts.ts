import { type Command, Option } from 'commander'
import { COMPOSE_PROJECT, composeStack } from './compose.ts'
import { restartParts } from './restart.ts'
import { CliError, order } from './stack.ts'
import { durationOf } from './units.ts'

interface PartOptions {
  readonly json?: boolean
  readonly compose?: string
}

const HELP = `
Works on what "npm start" runs here (KLATSCH_DATA_DIR), or with --compose on containers, by podman. Either way only for
the person that runs them: no administrator of the chat is needed, and none gets in.`

const compose = () =>
  new Option(
    '--compose [project]',
    `in the containers of this compose project instead (${COMPOSE_PROJECT})`,
  ).preset(COMPOSE_PROJECT)

/** Commands that end, freeze, wake and replace parts of the running stack. */
export function partCommands(program: Command, env: NodeJS.ProcessEnv): void {
  const command = (name: string, what: string) =>
    program
      .command(name)
      .description(what)
      .argument('<part>', 'chat, gateway, gateway-2, presence, lab, kafka or postgres')
      .addOption(compose())
      .option('--json', 'as JSON, for other programs')
      .addHelpText('after', HELP)

  function say(part: string, id: number | string | null, what: string, { json }: PartOptions): void {
    if (id === null) throw new CliError(`${part} is not running at the moment.`)
    const named = typeof id === 'number' ? { pid: id } : { container: id }
    const shown = typeof id === 'number' ? `process ${id}` : `container ${id}`
    console.log(json ? JSON.stringify({ part, ...named }) : `${part} (${shown}) ${what}.`)
  }

  command('kill', 'end a part with -9; it is started again by itself').action(
    async (part: string, options: PartOptions) => {
      const id = options.compose
        ? await (await composeStack(options.compose)).kill(part)
        : await order(env, 'parts/kill', { part })
      say(part, id, 'is killed with -9; it comes back by itself', options)
    },
  )
  command('freeze', 'stop a part in its tracks; it goes on by itself when its time is over')
    .option('--for <time>', 'how long: 500ms, 30s, 5m, 1h at most', '10s')
    .action(async (part: string, options: PartOptions & { for: string }) => {
      const forMs = durationOf('--for', options.for)
      const id = options.compose
        ? await (await composeStack(options.compose)).freeze(part, forMs)
        : await order(env, 'parts/freeze', { part, forMs })
      say(part, id, `is frozen for ${options.for}; "klatsch wake ${part}" ends it sooner`, options)
    })
  command('wake', 'let a frozen part go on at once').action(async (part: string, options: PartOptions) => {
    const id = options.compose
      ? await (await composeStack(options.compose)).wake(part)
      : await order(env, 'parts/wake', { part })
    say(part, id, 'goes on', options)
  })

  program
    .command('restart')
    .description('replace services one after the other while people go on chatting')
    .argument(
      '[parts...]',
      'chat, presence, gateway (all of them) or one such as gateway-2; everything when none is named',
    )
    .addOption(compose())
    .option('--json', 'one JSON object a line')
    .addHelpText('after', HELP)
    .action(async (named: string[], options: PartOptions) => {
      if (!options.compose) return restartParts(named, options, env)
      const stack = await composeStack(options.compose)
      return stack.restart(named, (part, ms) =>
        console.log(
          options.json
            ? JSON.stringify({ part, step: 'done', ms })
            : `${part.padEnd(10)} is healthy again after ${(ms / 1_000).toFixed(1)} s`,
        ),
      )
    })
}
