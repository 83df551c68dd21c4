import { RawSocket } from './raw-socket.ts'

/** A hello, and the first frame about `subject` that must answer it (or `welcome`, about nothing). */
export interface Resume {
  readonly token: string
  readonly follow: 'all' | readonly string[]
  readonly cursors: Readonly<Record<string, { readonly seq: number; readonly chain?: string }>>
  readonly answer: {
    readonly type: string
    readonly subject?: string
    readonly reason?: string
    readonly code?: string
  }
}

const ANSWER_MS = 20_000

/** Says this hello so often, one after the other. Answers the milliseconds from each to its answer; rejects for another one. */
export async function timeResumes(port: number, resume: Resume, times: number): Promise<number[]> {
  const taken: number[] = []
  for (let time = 0; time < times; time += 1) {
    const socket = new RawSocket({ port, path: '/ws', received: { frames: 0, bytes: 0 } })
    await socket.opened
    const begin = performance.now()
    await answered(socket, resume)
    taken.push(performance.now() - begin)
    socket.close()
  }
  return taken
}

function answered(socket: RawSocket, { token, follow, cursors, answer }: Resume): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no ${answer.type} within ${ANSWER_MS} ms`)), ANSWER_MS)
    void socket.closed.then(() => reject(new Error(`the socket ended: ${socket.ended}`)))
    socket.onText = (text) => {
      const frame = JSON.parse(text)
      const isIt =
        answer.subject === undefined ? frame.type === answer.type : frame.subject === answer.subject
      if (!isIt && frame.type !== 'error') return
      clearTimeout(late)
      const wrong = Object.entries(answer).find(([name, value]) => frame[name] !== value)
      if (wrong) reject(new Error(`expected ${JSON.stringify(answer)}, and got ${text.slice(0, 300)}`))
      else resolve()
    }
    socket.send(JSON.stringify({ type: 'hello', token, follow, cursors }))
  })
}
