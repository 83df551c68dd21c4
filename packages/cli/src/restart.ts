import { askToRestart, type RestartStep } from '@klatsch/local-stack'
import { CliError, controlOf } from './stack.ts'

const words: Record<RestartStep['step'], (seconds: string) => string> = {
  starting: () => 'a successor is starting',
  'handing over': (seconds) => `the successor was ready after ${seconds} s; the old one hands over`,
  done: (seconds) => `the old one ended after ${seconds} s`,
}

/** Has the running stack replace its services one after the other, and tells each step. */
export async function restartParts(
  named: readonly string[],
  { json = false }: { readonly json?: boolean },
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const control = controlOf(env)
  const onStep = (step: RestartStep) => {
    const { part, step: which, ms } = step
    console.log(json ? JSON.stringify(step) : `${part.padEnd(10)} ${words[which]((ms / 1_000).toFixed(1))}`)
  }
  try {
    await askToRestart(control, named, onStep)
  } catch (cause) {
    throw new CliError((cause as Error).message, { cause })
  }
}
