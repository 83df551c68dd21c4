/** Something the person at the terminal can mend: one sentence saying what is wrong, one saying what to do. */
export class Problem extends Error {
  override readonly name = 'Problem'

  constructor(sentence: string, options?: { cause?: unknown }) {
    super(sentence, options?.cause === undefined ? undefined : { cause: options.cause })
  }
}

export function errorCode(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** A full disk says so in many voices: Node, Java, Postgres. */
export const saysDiskFull = (text: string): boolean => /ENOSPC|no space left on device/i.test(text)

export const diskFull = (where: string, cause?: unknown): Problem =>
  new Problem(`The disk that holds ${where} is full. Free some space and start again.`, { cause })

export const halfWritten = (path: string): Problem =>
  new Problem(
    `${path} is half-written: something stopped or removed a part of it. ` +
      'Start afresh with "npm start -- --reset" (deletes all messages and accounts), or name another folder with KLATSCH_DATA_DIR.',
  )

/** Turns what the file system says about a folder or file into a sentence; anything else is passed on. */
export function explainFileError(error: unknown, path: string): unknown {
  switch (errorCode(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return diskFull(path, error)
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new Problem(
        `${path} cannot be written (${errorCode(error)}). Make it yours, or name another folder with KLATSCH_DATA_DIR.`,
        { cause: error },
      )
    case 'ENOTDIR':
    case 'EEXIST':
      return new Problem(
        `${path} is in the way: it is not a folder. Name another one with KLATSCH_DATA_DIR.`,
        {
          cause: error,
        },
      )
    default:
      return error
  }
}
