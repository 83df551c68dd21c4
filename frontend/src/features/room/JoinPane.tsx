import { GLOBAL_ROOM } from '@klatsch/contracts'
import { useMemo, useState } from 'react'
import { Button } from '../../components/Button.tsx'
import { toast } from '../../components/toasts.ts'
import { troubleOf } from '../../lib/trouble.ts'
import { useChat, useChatState } from '../chat-context.ts'
import type { Overlay } from '../Main.tsx'
import { Failed } from '../timeline/MessageGroup.tsx'
import { Skeleton } from '../timeline/Skeleton.tsx'

/** In place of the conversation, for a room one is not in. */
export function JoinPane({
  subject,
  missing,
  show,
}: {
  subject: string
  missing: boolean
  show: (overlay: Overlay) => void
}) {
  const chat = useChat()
  const room = useChatState((state) => state.rooms[subject])
  const guest = useChatState((state) => state.me.guest)
  const [busy, setBusy] = useState(false)

  async function join(): Promise<void> {
    setBusy(true)
    try {
      await chat.join(subject)
      await chat.open(subject)
    } catch (error) {
      toast(troubleOf(error), { kind: 'error' })
    }
    setBusy(false)
  }

  if (!room && !missing) {
    return (
      <div className="mt-auto animate-late" aria-busy="true">
        <Skeleton />
      </div>
    )
  }
  const closed = missing || room?.visibility === 'private'
  return (
    <div className="m-auto max-h-full w-full max-w-md overflow-y-auto p-8 text-center">
      <p className="font-serif text-2xl font-semibold text-balance">
        {closed ? 'This room is not yours to see' : room?.name}
      </p>
      <p className="mt-2 mb-5 text-soft">
        {closed
          ? 'It is private, or it is not there any more.'
          : guest && subject !== GLOBAL_ROOM
            ? 'Guests talk in the room everyone shares. With an account you can join this one.'
            : `${room?.memberCount === 1 ? 'One person is' : `${room?.memberCount ?? 0} people are`} in here. Join to read and write.`}
      </p>
      {closed ? (
        <Button onClick={() => show({ kind: 'finder' })}>Find another room</Button>
      ) : guest && subject !== GLOBAL_ROOM ? (
        <Button kind="primary" onClick={() => show({ kind: 'log-out', next: 'register' })}>
          Create an account
        </Button>
      ) : (
        <Button kind="primary" busy={busy} onClick={() => void join()}>
          Join this room
        </Button>
      )}
      <Unsent subject={subject} />
    </div>
  )
}

/** What one wrote here and was refused, so that it is not lost with the room. */
function Unsent({ subject }: { subject: string }) {
  const sending = useChatState((state) => state.sending)
  const failed = useMemo(
    () => sending.filter((message) => message.room === subject && message.state === 'failed'),
    [sending, subject],
  )
  if (failed.length === 0) return null
  return (
    <ul aria-label="Messages that were not sent" className="mt-8 space-y-4 text-left">
      {failed.map((message) => (
        <li key={message.id} data-state="failed">
          <p className="line-clamp-6 whitespace-pre-wrap [overflow-wrap:anywhere]">{message.text}</p>
          <Failed message={message} />
        </li>
      ))}
    </ul>
  )
}
