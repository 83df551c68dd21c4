import { type Command, Option } from 'commander'
import { type Painter, painter } from './format.ts'
import { type Laboratory, laboratory } from './laboratory.ts'
import { deadLetters, followCommand, type Said, topicsNow } from './look.ts'

export interface Terminal {
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
}

const json = () => new Option('--json', 'as JSON, for other programs')

/** The commands that ask the laboratory; it answers administrators alone. */
export function labCommands(program: Command, { env, signal }: Terminal): void {
  async function say(
    options: { json?: boolean },
    work: (lab: Laboratory, paint: Painter) => Promise<Said>,
  ): Promise<void> {
    const said = await work(await laboratory(env, signal), painter(process.stdout, env))
    console.log(options.json ? JSON.stringify(said.json, null, 2) : said.lines.join('\n'))
  }

  program
    .command('topics')
    .description('show topics: records, rates, and how far each consumer group is')
    .argument('[topics...]', 'only these, partition by partition')
    .addOption(json())
    .action((names: string[], options) => say(options, (lab, paint) => topicsNow(lab, names, paint)))

  program
    .command('follow')
    .description('follow one command through every topic and table, with the time of each step')
    .argument('<id>', 'the id of the command: a UUIDv7')
    .option('--actor <actor>', 'whose command, where several people used the same id, such as user:<id>')
    .addOption(json())
    .action((id: string, options) =>
      say(options, (lab, paint) => followCommand(lab, id, options.actor, paint)),
    )

  program
    .command('dlq')
    .description('show the dead letters: what no consumer could take, why, and what became of it')
    .option('--topic <topic>', 'only these dead letters, such as chat.commands.dlq')
    .option('--code <code>', 'only those with this reason, such as command.invalid')
    .option('--key <key>', 'only those with this key, such as room:global')
    .option('--limit <n>', 'the latest so many', '20')
    .addOption(json())
    .action(({ json: asJson, ...query }) =>
      say({ json: asJson }, (lab, paint) => deadLetters(lab, query, paint)),
    )
}
