import { labAt, type OpenTarget } from '@klatsch/drills'
import { COMPOSE_PROJECT, type ComposeStack, composeStack } from './compose.ts'
import { statusOf } from './laboratory.ts'
import { podman } from './podman.ts'
import { CliError } from './stack.ts'

const QUERY_MS = 60_000

type AskRecord = NonNullable<OpenTarget['record']>

/** The project that `--on compose` or `--on compose:name` means; undefined for other places. */
export function projectOf(on: string): string | undefined {
  const [place, project = COMPOSE_PROJECT] = on.split(/:(.*)/)
  return place === 'compose' ? project : undefined
}

/**
 * The stack in containers: people come by its public address, podman does what is done to it, and the record is read by the psql
 * of its own container. @throws CliError when there is no such stack, or it is not up
 */
export async function composeTarget(
  project: string,
  tokenAt: (baseUrl: string) => Promise<string | undefined> | undefined,
  signal: AbortSignal,
): Promise<OpenTarget> {
  const stack = await composeStack(project)
  if (stack.address === undefined)
    throw new CliError(`no container of ${project} can be reached from outside: is it up?`)
  const baseUrl = `http://${stack.address}`
  const ready = await statusOf(`${baseUrl}/readyz`)
  if (ready !== 200) throw new CliError(`${baseUrl} is not ready${ready ? `: it answers ${ready}` : ''}.`)
  const hasLab = stack.parts.includes('lab')
  const token = hasLab ? await tokenAt(baseUrl) : undefined
  const restart = async (parts: readonly string[]) => stack.restart(parts, () => {}, signal)
  return {
    name: `the containers of ${project}`,
    baseUrl,
    record: askIn(stack),
    parts: stack.parts,
    controls: {
      async look(part) {
        const { pid, ready } = await stack.look(part)
        return { pid, ready }
      },
      kill: async (part) => void (await stack.kill(part)),
      freeze: async (part, forMs) => void (await stack.freeze(part, forMs)),
      wake: async (part) => void (await stack.wake(part)),
    },
    restart,
    launch: (service, name) => stack.launch(service, name),
    ...(token && { lab: labAt(baseUrl, async () => token) }),
    bugs: [],
    without: {
      gateways: 'from outside there is one address for all of them',
      log: 'no port of it is open',
      network: 'in containers there are none; what "npm start" runs has some',
      disk: 'its Kafka is on a volume',
      lab: hasLab
        ? 'set KLATSCH_TOKEN to the access token of an administrator'
        : 'it is off; "LAB_ENABLED=true podman compose -f podman-compose.yaml --profile lab up -d" starts it',
    },
    close: async () => {},
  }
}

/** Inside the database's container anyone may ask over its own socket: no password is read, and no port opened. */
function askIn(stack: ComposeStack): AskRecord {
  return async <Row extends object>(sql: string, rooms: readonly string[]): Promise<Row[]> => {
    const { id } = await stack.look('postgres')
    const list = `{${rooms.map((room) => JSON.stringify(room)).join(',')}}`
    const input = `SELECT row_to_json(asked) FROM (${sql}) asked \\bind '${list.replaceAll("'", "''")}' \\g\n`
    const options = `PGOPTIONS=-c statement_timeout=${QUERY_MS} -c default_transaction_read_only=on`
    const psql = ['psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-U', 'klatsch', '-d', 'klatsch']
    const output = await podman(['exec', '-i', '--env', options, id, ...psql], { input })
    return output
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Row)
  }
}
