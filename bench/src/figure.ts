import type { Stack } from './stack.ts'
import { median, medianRatio } from './statistics.ts'

/** One line of the table. Values are medians over the rounds. */
export interface Row {
  readonly what: string
  readonly unit: string
  readonly ours: number
  readonly floor?: number
  /** Ours over the floor's, round by round, then the median. */
  readonly ratio?: number
  /** What the floor is. */
  readonly against?: string
  readonly aim?: string
  /** What other chats were measured to do, as recorded: another machine's figures, so ratios to bare ws where there are. */
  readonly others?: string
  /** What each round measured. */
  readonly rounds: { readonly ours: readonly number[]; readonly floor?: readonly number[] }
}

export interface Context {
  /** The bench's own Kafka and Postgres, started when first asked for. */
  stack(): Promise<Stack>
  /** Where logs go. */
  readonly dir: string
  readonly profileDir: string | undefined
  /** Shorter and fewer rounds, to see that all is well. */
  readonly quick: boolean
  readonly say: (sentence: string) => void
}

export interface Figure {
  readonly name: string
  readonly describe: string
  measure(context: Context): Promise<Row[]>
}

/** Rounds of a figure: floor and ours in turns. */
export const ROUNDS = 3

export function row(
  about: Pick<Row, 'what' | 'unit' | 'against' | 'aim' | 'others'>,
  ours: readonly number[],
  floor?: readonly number[],
): Row {
  return {
    ...about,
    ours: median(ours),
    ...(floor && { floor: median(floor), ratio: medianRatio(ours, floor) }),
    rounds: { ours, ...(floor && { floor }) },
  }
}
