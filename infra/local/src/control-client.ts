import type { Control, StackCalls } from './control.ts'
import { Problem } from './problem.ts'
import type { RestartStep } from './restart.ts'

const ANSWER_MS = 10_000

/** Orders something of a running stack. @throws Problem with its reason when it fails. */
export async function askStack<C extends keyof StackCalls>(
  control: Control,
  call: C,
  argument: Parameters<StackCalls[C]>[0] | null,
): Promise<Awaited<ReturnType<StackCalls[C]>>> {
  const response = await post(control, call, argument, AbortSignal.timeout(ANSWER_MS))
  const said = (await response.json()) as { error: string } | { result: Awaited<ReturnType<StackCalls[C]>> }
  if ('error' in said) throw new Problem(said.error)
  return said.result
}

/** Has a running stack restart these parts, all when none is named. @throws Problem with its reason when it fails. */
export async function askToRestart(
  control: Control,
  named: readonly string[],
  onStep: (step: RestartStep) => void,
): Promise<void> {
  const response = await post(control, 'restart', named)
  let rest = ''
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const text of lines) {
      const line: { step: RestartStep } | { error: string } | { done: true } = JSON.parse(text)
      if ('step' in line) onStep(line.step)
      else if ('error' in line) throw new Problem(line.error)
      else return
    }
  }
  throw new Problem('The stack ended in the middle of the restart.')
}

async function post(
  { url, token }: Control,
  name: string,
  body: unknown,
  signal?: AbortSignal,
): Promise<Response> {
  const headers = { authorization: `Bearer ${token}` }
  const request = { method: 'POST', headers, body: JSON.stringify(body), ...(signal && { signal }) }
  const response = await fetch(`${url}/${name}`, request).catch((cause: unknown) => {
    throw new Problem(`The stack does not answer at ${url}. Is it still running?`, { cause })
  })
  if (!response.ok || !response.body) throw new Problem(`The stack refused (${response.status}).`)
  return response
}
