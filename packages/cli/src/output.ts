import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { CliError } from './stack.ts'

export interface Output {
  line(text: string): void
  /** Resolves when all is written. @throws CliError for a file that cannot be. */
  close(): Promise<void>
}

/** A file, or standard output, whose reader may go away (`| head`): that is no fault, and the end of it. */
export function outputTo(file: string | undefined, onEnd: () => void): Output {
  if (file === undefined) {
    process.stdout.on('error', onEnd)
    return { line: (text) => void process.stdout.write(`${text}\n`), close: async () => {} }
  }
  const stream = createWriteStream(file)
  const written = finished(stream)
  written.catch(onEnd)
  return {
    line: (text) => void stream.write(`${text}\n`),
    async close() {
      stream.end()
      await written.catch((cause: Error) => {
        throw new CliError(`${file} cannot be written: ${cause.message}`, { cause })
      })
    },
  }
}
