import { memo } from 'react'
import { Avatar, hueStyle } from '../../components/Avatar.tsx'
import { Icon } from '../../components/Icon.tsx'
import { nameOf } from '../../lib/identity.ts'
import { isEmojiOnly } from '../../lib/rich-text.ts'
import { clockTime, fullTime } from '../../lib/time.ts'
import { troubleOfCode } from '../../lib/trouble.ts'
import { type MessageRow, type Row, sameRow } from '../../state/rows.ts'
import type { Sending } from '../../state/sending.ts'
import { useChat, useChatState, usePerson } from '../chat-context.ts'
import { RichText } from './RichText.tsx'

type Group = Extract<Row, { kind: 'group' }>

/** What one person said in one go, under their name. */
export const MessageGroup = memo(
  function MessageGroup({ row }: { row: Group }) {
    const person = usePerson(row.author)
    const first = row.messages[0]
    if (!first) return null
    const known = person !== 'unknown'
    return (
      <article aria-label={`${nameOf(person)}, ${clockTime(first.at)}`} className="mt-3.5">
        {row.messages.map((message, index) => (
          <Line key={message.key} message={message} first={index === 0}>
            {index === 0 && (
              <>
                <span className="absolute top-0.5 left-4 md:left-6">
                  <Avatar id={row.author} person={person} size="medium" />
                </span>
                <p className="flex items-baseline gap-2 leading-snug">
                  <span
                    style={hueStyle(row.author)}
                    className={`min-w-0 truncate font-semibold ${known ? 'author-hue' : 'text-soft italic'}`}
                  >
                    <bdi>{nameOf(person)}</bdi>
                  </span>
                  <Time at={message.at} className="flex-none text-xs text-faint" />
                </p>
              </>
            )}
          </Line>
        ))}
      </article>
    )
  },
  (a, b) => sameRow(a.row, b.row),
)

function Line({
  message,
  first,
  children,
}: {
  message: MessageRow
  first: boolean
  children: React.ReactNode
}) {
  const { sending } = message
  const pending = sending !== undefined && sending.state !== 'failed'
  return (
    <div
      data-key={message.key}
      data-state={sending?.state ?? 'confirmed'}
      className="group/line relative py-[3px] pr-4 pl-[4.25rem] hover:bg-hover md:pr-6 md:pl-[4.75rem]"
    >
      {children}
      {!first && (
        <Time
          at={message.at}
          className="absolute top-[5px] left-0 w-[3.6rem] text-right text-[11px] text-faint opacity-0 group-hover/line:opacity-100 md:w-[4.1rem]"
        />
      )}
      <div
        dir="auto"
        className={`max-w-[46rem] ${pending ? 'text-soft' : ''} ${isEmojiOnly(message.text) ? 'text-3xl leading-tight' : ''}`}
      >
        <RichText text={message.text} />
        {pending && (
          <span
            className="ml-1.5 inline-flex animate-late translate-y-0.5 text-faint"
            title={stateTitle(sending)}
          >
            <Icon name="clock" size={14} />
            <span className="sr-only">{stateTitle(sending)}</span>
          </span>
        )}
      </div>
      {sending?.state === 'failed' && <Failed message={sending} />}
    </div>
  )
}

const stateTitle = (sending: Sending): string =>
  sending.state === 'waiting' ? 'Waiting for the connection' : 'Sending…'

/** Why a message was not sent, and what to do about it. */
export function Failed({ message }: { message: Sending }) {
  const chat = useChat()
  // What is kept for repair may still appear; sent again it could appear twice.
  const member = useChatState((state) => state.rooms[message.room]?.member === true)
  const again = message.code !== 'command.held' && member
  const rejoined = message.code === 'room.not_a_member' && member
  return (
    <div
      role="alert"
      className="mt-1 mb-1.5 flex max-w-[46rem] flex-wrap items-center gap-x-3 gap-y-1 rounded-xl bg-bad-soft py-1.5 pr-2 pl-3 text-sm text-bad"
    >
      <Icon name="alert" size={16} />
      <p className="min-w-0 flex-1 basis-52">
        <b>Not sent.</b>{' '}
        {rejoined
          ? 'You were not in this room when it came. Now you are.'
          : troubleOfCode(message.code, message.detail)}
      </p>
      <span className="flex gap-1">
        {again && (
          <button
            type="button"
            onClick={() => chat.retry(message.id)}
            className="flex min-h-9 items-center gap-1.5 rounded-lg px-2.5 font-semibold hover:bg-bad/10"
          >
            <Icon name="retry" size={15} />
            Retry
          </button>
        )}
        <button
          type="button"
          onClick={() => chat.discard(message.id)}
          className="flex min-h-9 items-center gap-1.5 rounded-lg px-2.5 font-semibold hover:bg-bad/10"
        >
          <Icon name="trash" size={15} />
          Discard
        </button>
      </span>
    </div>
  )
}

function Time({ at, className }: { at: number; className: string }) {
  return (
    <time dateTime={new Date(at).toISOString()} title={fullTime(at)} className={`tabular-nums ${className}`}>
      {clockTime(at)}
    </time>
  )
}
