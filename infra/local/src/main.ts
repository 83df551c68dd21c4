// npm start: everything Klatsch needs, on this machine, until Ctrl-C.
import { openDataDir } from './data-dir.ts'
import { requirePort } from './ports.ts'
import { messageOf, Problem } from './problem.ts'
import { HELP, readSettings, type Settings } from './settings.ts'
import { startStack } from './stack.ts'
import { stopRequests } from './stop-requests.ts'
import { terminal } from './terminal.ts'
import { welcome } from './welcome.ts'

const screen = terminal()
const requests = stopRequests(screen.say)

async function run(settings: Settings): Promise<void> {
  const { port, host, gateways } = settings
  const dataDir = await openDataDir(settings.dataDir, settings)
  try {
    await requirePort(port, host)
    const stack = await startStack({
      port,
      gateways,
      dataDir: dataDir.path,
      say: screen.say,
      onLine(part, line) {
        // What is asked to stop may still be trying again what failed before: that is no news any more, and in its log.
        if (!requests.signal.aborted) screen.line(part, line)
      },
      onProgress: (progress) => screen.progress('downloading Kafka', progress),
      signal: requests.signal,
    })
    screen.box(welcome(stack, dataDir.path))
    await requests.next
    screen.say('stopping')
    await stack.stop()
    screen.say('stopped; nothing is left running')
  } finally {
    dataDir.release()
  }
}

try {
  const settings = readSettings(process.argv.slice(2), process.env)
  if (settings.help) console.log(HELP)
  else await run(settings)
  process.exit(0)
} catch (error) {
  if (requests.signal.aborted) process.exit(130)
  screen.say(error instanceof Problem ? error.message : `something went wrong: ${messageOf(error)}`)
  if (!(error instanceof Problem)) console.error(error)
  process.exit(1)
}
