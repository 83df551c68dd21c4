import { Fragment, memo, type ReactNode } from 'react'
import { nameOf } from '../../lib/identity.ts'
import { clockTime, fullTime } from '../../lib/time.ts'
import { type QuietEntry, type Row, sameRow } from '../../state/rows.ts'
import { usePerson } from '../chat-context.ts'

/** Names spelled out; the others are counted. */
const NAMED = 4

/** Who came and went and what was renamed, between messages and quieter than them. */
export const QuietLine = memo(
  function QuietLine({ row }: { row: Extract<Row, { kind: 'quiet' }> }) {
    const last = row.entries.at(-1)
    return (
      <p
        data-key={row.key}
        className="mt-2 px-4 pl-[4.25rem] text-[13px] leading-relaxed text-faint md:px-6 md:pl-[4.75rem]"
        title={last && fullTime(last.at)}
      >
        {sentences(row.entries).map((sentence, index) => (
          <Fragment key={index}>
            {index > 0 && ' · '}
            {sentence}
          </Fragment>
        ))}
        {last && <time className="ml-2 tabular-nums opacity-80">{clockTime(last.at)}</time>}
      </p>
    )
  },
  (a, b) => sameRow(a.row, b.row),
)

function sentences(entries: readonly QuietEntry[]): readonly ReactNode[] {
  const moves = new Map<string, { first: 'joined' | 'left'; last: 'joined' | 'left' }>()
  const said: ReactNode[] = []
  let maker: string | undefined
  for (const entry of entries) {
    switch (entry.kind) {
      case 'created':
        maker = entry.by
        // The room that everyone shares was made by nobody.
        if (entry.by !== 'chat')
          said.push(
            <>
              <Name id={entry.by} /> made this room
            </>,
          )
        break
      case 'renamed':
        said.push(
          <>
            <Name id={entry.by} /> named it <b className="font-semibold">{entry.name}</b>
            {entry.topic !== '' && `, “${entry.topic}”`}
          </>,
        )
        break
      case 'joined':
      case 'left':
        // Who makes a room is in it; nobody needs to be told.
        if (entry.kind === 'joined' && entry.user === maker) break
        moves.set(entry.user, { first: moves.get(entry.user)?.first ?? entry.kind, last: entry.kind })
    }
  }
  const who = (first: 'joined' | 'left', last: 'joined' | 'left') =>
    [...moves].filter(([, move]) => move.first === first && move.last === last).map(([id]) => id)
  const groups = [
    [who('joined', 'joined'), 'joined'],
    [who('joined', 'left'), 'came and went'],
    [who('left', 'joined'), 'left and came back'],
    [who('left', 'left'), 'left'],
  ] as const
  for (const [ids, verb] of groups)
    if (ids.length > 0)
      said.push(
        <>
          <Names ids={ids} /> {verb}
        </>,
      )
  return said
}

function Names({ ids }: { ids: readonly string[] }) {
  const named = ids.length > NAMED + 1 ? ids.slice(0, NAMED) : ids
  const others = ids.length - named.length
  return named.map((id, index) => (
    <Fragment key={id}>
      {index > 0 && (index === ids.length - 1 ? ' and ' : ', ')}
      <Name id={id} />
      {others > 0 && index === named.length - 1 && ` and ${others} others`}
    </Fragment>
  ))
}

function Name({ id }: { id: string }) {
  return <bdi className="text-soft">{nameOf(usePerson(id))}</bdi>
}
