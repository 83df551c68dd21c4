import { useCallback, useEffect, useMemo, useRef } from 'react'
import { Button } from '../../components/Button.tsx'
import { Icon } from '../../components/Icon.tsx'
import { dayName } from '../../lib/time.ts'
import { useToday } from '../../lib/today.ts'
import { type Row, rowsOf } from '../../state/rows.ts'
import { newAfter } from '../../state/selectors.ts'
import { unreadOf } from '../../state/state.ts'
import { useChat, useChatState } from '../chat-context.ts'
import { MessageGroup } from './MessageGroup.tsx'
import { QuietLine } from './QuietLine.tsx'
import { Skeleton } from './Skeleton.tsx'
import { useFollowing } from './useFollowing.ts'
import { useLooking } from './useLooking.ts'

/** What was said in a room, and what this person is about to have said. */
export function Timeline({ subject }: { subject: string }) {
  const chat = useChat()
  const me = useChatState((state) => state.me.id)
  const room = useChatState((state) => state.rooms[subject])
  const allSending = useChatState((state) => state.sending)
  const unread = useChatState((state) => (state.rooms[subject] ? unreadOf(state, state.rooms[subject]) : 0))
  const line = useChatState((state) => newAfter(state, subject))
  const today = useToday()
  const looking = useLooking()

  const timeline = room?.timeline
  const ready = timeline !== undefined && timeline.loading !== 'latest'
  const entries = timeline?.entries
  const rows = useMemo(
    () =>
      rowsOf({
        me,
        entries: entries ?? [],
        sending: allSending.filter((message) => message.room === subject),
        newAfter: line,
      }),
    [me, entries, allSending, subject, line],
  )
  const complete = ready && timeline.from <= (room?.first ?? 1)
  const loadOlder = useCallback(() => {
    if (ready && !complete && !timeline.failed) chat.older(subject)
  }, [chat, subject, ready, complete, timeline?.failed])
  // A room that was followed by digests: what was said meanwhile comes in a moment, once.
  const arrived = useRef(false)
  const behind = ready && timeline.to < (room?.tail ?? 0)
  if (ready && !behind) arrived.current = true
  const arriving = behind && !arrived.current
  const { scroller, content, atEnd, toEnd } = useFollowing(rows, ready, arriving, loadOlder)

  const watching = looking && atEnd && ready && !arriving
  useEffect(() => {
    chat.watch(watching ? subject : undefined)
    if (watching) chat.settled(subject)
  }, [chat, subject, watching])
  useEffect(() => {
    if (watching) chat.settled(subject)
  }, [watching, entries])
  useEffect(
    () => () => {
      chat.watch(undefined)
      chat.leaveScreen(subject)
    },
    [chat, subject],
  )

  const spoken = rows.some((row) => row.kind === 'group')
  return (
    <div className="relative min-h-0 flex-1">
      <div
        ref={scroller}
        role="log"
        aria-label={`Messages in ${room?.name ?? 'this room'}`}
        aria-busy={timeline?.loading !== undefined}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        className="h-full overflow-x-hidden overflow-y-auto overscroll-contain [overflow-anchor:none] focus-visible:-outline-offset-2"
      >
        <div ref={content} className="flex min-h-full flex-col justify-end pt-6 pb-5">
          {complete && <Beginning name={room?.name ?? ''} topic={room?.topic ?? ''} />}
          {ready && !complete && (
            <div className="flex min-h-16 items-center justify-center px-6 text-soft">
              {timeline.failed ? (
                <Button onClick={() => chat.older(subject)}>
                  Earlier messages could not be loaded. Try again
                </Button>
              ) : (
                <span className="animate-late text-sm">Loading earlier messages…</span>
              )}
            </div>
          )}
          {!ready && timeline?.failed && (
            <div className="m-auto p-8 text-center">
              <p className="mb-3 text-soft">The conversation could not be loaded.</p>
              <Button onClick={() => void chat.open(subject)}>Try again</Button>
            </div>
          )}
          {!ready && !timeline?.failed && <Skeleton />}
          {ready && rows.map((row) => <RowView key={row.key} row={row} today={today} />)}
          {ready && !spoken && (
            <p className="px-6 py-4 text-center text-soft">
              Nobody has said anything yet. The first word is yours.
            </p>
          )}
        </div>
      </div>
      {ready && !atEnd && (
        <button
          type="button"
          onClick={() => toEnd('smooth')}
          className={`absolute right-4 bottom-3 flex min-h-10 animate-appear items-center gap-2 rounded-full px-4 font-semibold shadow-float md:right-6 ${
            unread > 0
              ? 'bg-accent text-on-accent hover:bg-accent-deep'
              : 'border border-line bg-raised text-ink hover:bg-side'
          }`}
        >
          <Icon name="down" size={16} />
          {unread > 0 ? `${unread} new ${unread === 1 ? 'message' : 'messages'}` : 'Latest'}
        </button>
      )}
    </div>
  )
}

function RowView({ row, today }: { row: Row; today: number }) {
  switch (row.kind) {
    case 'day':
      return (
        <div className="mx-4 mt-6 mb-2 flex items-center gap-4 md:mx-6">
          <span className="h-px flex-1 bg-line" />
          <h2 className="font-serif text-sm font-medium text-soft">{dayName(row.at, today)}</h2>
          <span className="h-px flex-1 bg-line" />
        </div>
      )
    case 'new':
      return (
        <div data-new className="mx-4 mt-3 flex items-center gap-3 text-accent md:mx-6">
          <span className="h-px flex-1 bg-accent/50" />
          <span className="text-[13px] font-semibold">New</span>
        </div>
      )
    case 'group':
      return <MessageGroup row={row} />
    case 'quiet':
      return <QuietLine row={row} />
  }
}

function Beginning({ name, topic }: { name: string; topic: string }) {
  return (
    <div className="px-4 pt-8 pb-2 md:px-6">
      <p className="font-serif text-3xl font-semibold tracking-tight">{name}</p>
      {topic !== '' && <p className="mt-1 max-w-prose text-soft">{topic}</p>}
      <p className="mt-2 text-sm text-faint">This is where the room begins.</p>
    </div>
  )
}
