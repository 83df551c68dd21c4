// All that klatsch can be told on the command line.
import { POSITIONS, topics } from '@klatsch/contracts'
import { Command, Option } from 'commander'
import { type ChatOptions, chat } from './chat/index.ts'
import { drillCommand } from './drill.ts'
import { drillRoundsCommand } from './drill-rounds.ts'
import { labCommands, replayCommand } from './lab-commands.ts'
import { lessonCommand } from './lesson.ts'
import { networkCommand } from './network.ts'
import { partCommands } from './parts.ts'
import { printRecords, type RecordOptions } from './records.ts'
import type { Terminal } from './stack.ts'

const names = Object.values(topics).map((topic) => topic.name)

function reading(command: Command): Command {
  return command
    .addOption(new Option('--key <key>', 'only records with this key, such as room:global'))
    .addOption(new Option('--type <type>', 'only records whose type begins so, such as chat.message'))
    .addOption(new Option('--actor <actor>', 'only what this actor did, such as user:<id>'))
    .addOption(new Option('--room <room>', 'only what is in this room, or names it, such as room:global'))
    .addOption(new Option('--text <text>', 'only records whose value contains this'))
    .addOption(new Option('--partition <n>', 'only this partition'))
    .addOption(new Option('--limit <n>', 'stop after so many'))
    .addOption(new Option('--json', 'one JSON object a line, with headers'))
}

/** All commands, ready to be given arguments. */
export function klatschProgram(terminal: Terminal): Command {
  const { env, signal } = terminal
  const program = new Command('klatsch')
    .description('Chat, look at the log, replay it, and break things.')
    .usage('<command> [options]   (npm run klatsch -- …)')
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
    .showHelpAfterError('(klatsch --help lists what there is)')
    .addHelpText(
      'after',
      `
Positions: ${POSITIONS}.
Topics: ${names.join(', ')}.

  npm run klatsch -- chat
  npm run klatsch -- tail chat.commands chat.events
  npm run klatsch -- tail chat.events --from 10m --key room:global
  npm run klatsch -- replay chat.events --from begin --json > events.jsonl
  npm run klatsch -- replay chat.events --room room:global --into study.room --dry-run
  npm run klatsch -- topics
  npm run klatsch -- follow 019a0000-0000-7000-8000-000000000000
  npm run klatsch -- faults set gateway.deliver delay --ms 2000 --percent 20 --for 1m
  npm run klatsch -- faults halt
  npm run klatsch -- network postgres --latency 200 --for 30s
  npm run klatsch -- kill chat
  npm run klatsch -- freeze chat --for 10s
  npm run klatsch -- restart gateway
  npm run klatsch -- drill --list

Works on what "npm start" runs (KLATSCH_DATA_DIR). tail and replay read the Kafka that KAFKA_BROKERS names, where it is
set; topics, follow, dlq, faults and replay --into ask the laboratory at KLATSCH_URL, as an administrator (KLATSCH_TOKEN, or asked for).

Exit codes: 0 done, 1 failed, 2 not understood, 130 interrupted.`,
    )

  program
    .command('chat')
    .description('talk in the terminal; with a pipe, send lines and print events')
    .option('--url <url>', 'of the server; else KLATSCH_URL, or the local stack')
    .addOption(new Option('--name <name>', 'come in as a guest by this name').conflicts('user'))
    .option('--user <name>', 'come in with an account; the password is asked for, or KLATSCH_PASSWORD')
    .option('--room <room>', 'name or id of a room; the one everyone shares when left out')
    .option('--json', 'one event as JSON a line, also in a terminal')
    .addHelpText(
      'after',
      `
In a terminal: Enter sends, Alt ↑ and Alt ↓ change the room, PageUp scrolls back, /help lists the rest, Ctrl-C leaves.

With a pipe, every line that comes in is a message, every event of the room is a line that goes out, and it ends when
the input has ended and all outcomes are known:

  echo "The build is green" | npm run -s klatsch -- chat --name builder --room Global
  tail -f /dev/null | npm run -s klatsch -- chat --name reader --json

Exit codes: 0 everything was confirmed, 1 it did not come to that, 2 not understood, 3 something was refused, 4 of something
it is not known whether it was sent, 130 interrupted (with a pipe).`,
    )
    .action(async (options: ChatOptions) => {
      process.exitCode = await chat(options, env, signal)
    })

  reading(
    program
      .command('tail')
      .description('show records as they are appended; Ctrl-C ends it')
      .argument('[topics...]', 'one or more topics; all of them when none is named'),
  )
    .option('--from <position>', 'begin here instead of at the end')
    .action((chosen: string[], options: RecordOptions) =>
      printRecords(chosen.length > 0 ? chosen : names, { ...options, follow: true }, env, signal),
    )

  reading(
    program
      .command('replay')
      .description(
        'show a range of records, in the order of each partition, or copy it into a file or a topic',
      )
      .argument('[topics...]', 'one or more topics; all of them when none is named'),
  )
    .option('--from <position>', 'where to begin', 'begin')
    .option('--to <position>', 'where to end, exclusive', 'end')
    .addOption(new Option('--out <file>', 'into this file, as JSON lines').conflicts('into'))
    .option('--into <topic>', 'into this topic, which is made when missing; not one of our own')
    .option('--rate <n>', 'with --into: so many records a second', '1000')
    .option('--dry-run', 'with --into: only say what would be copied')
    .action((chosen: string[], options: RecordOptions & { into?: string; rate: string }) => {
      const { into } = options
      if (into !== undefined) return replayCommand(terminal, chosen, { ...options, into })
      return printRecords(chosen.length > 0 ? chosen : names, { ...options, follow: false }, env, signal)
    })

  labCommands(program, terminal)
  lessonCommand(program, signal)

  networkCommand(program, env)
  partCommands(program, env)

  drillCommand(program, terminal)
  drillRoundsCommand(program, terminal)

  return program
}
