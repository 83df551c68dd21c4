import { type Command, Option } from 'commander'
import { faultsNow, haltFaults, orderOf, type SetOptions, setFault } from './faults.ts'
import { type Painter, painter } from './format.ts'
import { type Laboratory, laboratory } from './laboratory.ts'
import { deadLetters, followCommand, type Said, topicsNow } from './look.ts'
import { haltNetwork } from './network.ts'
import { type ReplayOptions, redrive, replayInto, stopJob } from './resend.ts'
import { CliError, type Terminal } from './stack.ts'

const DLQ_EXAMPLES = `
  klatsch dlq --code command.invalid
  klatsch dlq redrive --key room:global --dry-run
  klatsch dlq redrive --rate 100`

const FAULT_EXAMPLES = `
  klatsch faults set gateway.command error --code server.unavailable --room room:global --for 30s
  klatsch faults set gateway.deliver delay --ms 2000 --percent 20 --seed 7 --for 1m
  klatsch faults set chat.persisted crash --first 1 --for 10s
  klatsch faults halt`

const json = () => new Option('--json', 'as JSON, for other programs')

type Work = (lab: Laboratory, paint: Painter) => Promise<Said>

async function sayTo({ env, signal }: Terminal, options: { json?: boolean }, work: Work): Promise<void> {
  const said = await work(await laboratory(env, signal), painter(process.stdout, env))
  console.log(options.json ? JSON.stringify(said.json, null, 2) : said.lines.join('\n'))
  if (said.ok === false) process.exitCode = signal.aborted ? 130 : 1
}

/** `replay --into`: the laboratory copies the records. */
export async function replayCommand(
  terminal: Terminal,
  chosen: readonly string[],
  options: ReplayOptions & { readonly json?: boolean },
): Promise<void> {
  const [topic] = chosen
  if (topic === undefined || chosen.length > 1) throw new CliError('--into takes the records of one topic.')
  await sayTo(terminal, options, (lab, paint) => replayInto(lab, topic, options, paint, terminal.signal))
}

/** The commands that ask the laboratory; it answers administrators alone. */
export function labCommands(program: Command, terminal: Terminal): void {
  const { signal } = terminal
  const say = (options: { json?: boolean }, work: Work) => sayTo(terminal, options, work)

  program
    .command('topics')
    .description('show topics: records, rates, and how far each consumer group is')
    .argument('[topics...]', 'only these, partition by partition')
    .addOption(json())
    .action((names: string[], options) => say(options, (lab, paint) => topicsNow(lab, names, paint)))

  program
    .command('follow')
    .description('follow one command through every topic and table, with the time of each step')
    .argument('<id>', 'the id of the command, or of an event or a follow-up that came of it')
    .option('--actor <actor>', 'whose command, where several people used the same id, such as user:<id>')
    .addOption(json())
    .action((id: string, options) =>
      say(options, (lab, paint) => followCommand(lab, id, options.actor, paint)),
    )

  const dlq = program
    .command('dlq')
    .description('show the dead letters, and send held commands through chat again')
    .addHelpText('after', DLQ_EXAMPLES)
  dlq
    .command('list', { isDefault: true })
    .description('what no consumer could take, why, and what became of it')
    .option('--topic <topic>', 'only these dead letters, such as chat.commands.dlq')
    .option('--code <code>', 'only those with this reason, such as command.invalid')
    .option('--key <key>', 'only those with this key, such as room:global')
    .option('--limit <n>', 'the latest so many', '20')
    .addOption(json())
    .action(({ json: asJson, ...query }) =>
      say({ json: asJson }, (lab, paint) => deadLetters(lab, query, paint)),
    )

  dlq
    .command('redrive')
    .description('send commands that are held through chat again, in their order; Ctrl-C stops it')
    .option('--code <code>', 'only those with this reason')
    .option('--key <key>', 'only those with this key, such as room:global')
    .option('--at <place>', 'only this letter: partition@offset in the dead letters, such as 3@15')
    .option('--limit <n>', 'the first so many')
    .option('--rate <n>', 'so many a second', '50')
    .option('--dry-run', 'only say what would be sent')
    .addOption(json())
    .action((options) => say(options, (lab, paint) => redrive(lab, options, paint, signal)))
  dlq
    .command('stop')
    .description('stop a redrive or a replay; what is sent stays sent')
    .argument('<job>', 'its id')
    .addOption(json())
    .action((id: string, options) => say(options, (lab) => stopJob(lab, id)))

  const faults = program
    .command('faults')
    .description('make things go wrong, for one room or for all, for a while; list and call off faults')
    .addHelpText('after', FAULT_EXAMPLES)
  faults
    .command('list', { isDefault: true })
    .description('where faults can be brought about, and those that were')
    .addOption(json())
    .action((options) => say(options, faultsNow))
  faults
    .command('set')
    .description('bring one about; it ends by itself')
    .argument('<point>', 'where: one of "klatsch faults list"')
    .argument('<fault>', 'what: error, delay, drop, duplicate, reorder, crash, hang or shift')
    .requiredOption('--for <time>', 'how long: 500ms, 30s, 5m, 1h at most')
    .option('--after <time>', 'begin so much later')
    .option('--room <room...>', 'only for these rooms, such as room:global')
    .option('--person <actor...>', 'only for what these people do, such as user:<id>')
    .option('--session <id...>', 'only for these sessions')
    .option('--instance <name...>', 'only in these instances of the service')
    .option('--percent <n>', 'so often in a hundred')
    .option('--first <n>', 'only the first so many times, in each instance')
    .option('--seed <n>', 'what chance decides by; the same seed strikes the same times')
    .option('--ms <n>', 'of delay and shift: milliseconds; --ms=-5000 puts the clock back')
    .option('--jitter <n>', 'of delay: up to so many milliseconds more')
    .option('--code <code>', 'of error: server.internal (of the record) or server.unavailable (passing)')
    .option('--times <n>', 'of duplicate: so many more')
    .option('--within <ms>', 'of reorder: held back for so long at most')
    .option('--survives-restart', 'instances that start meanwhile get it, too')
    .option('--note <text>', 'why, for whoever sees it')
    .addOption(json())
    .action((point: string, kind: string, options: SetOptions & { json?: boolean }) => {
      const order = orderOf(point, kind, options)
      return say(options, (lab, paint) => setFault(lab, order, paint))
    })
  faults
    .command('halt')
    .description(
      'call off one, or all of them: by HTTP, which works when Kafka is the fault; also those of the network',
    )
    .argument('[id]', 'this one alone')
    .addOption(json())
    .action(async (id: string | undefined, options) => {
      // First: while the servers cannot be reached, nobody can sign in.
      const network = id === undefined ? await haltNetwork(terminal.env) : undefined
      await say(options, (lab, paint) => haltFaults(lab, id, network, paint)).catch((error: unknown) => {
        if (network) console.error(`klatsch: ${network} faults of the network called off; the others not:`)
        throw error
      })
    })
}
