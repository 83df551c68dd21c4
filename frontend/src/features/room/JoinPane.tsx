import { GLOBAL_ROOM } from '@klatsch/contracts'
import { useState } from 'react'
import { Button } from '../../components/Button.tsx'
import { toast } from '../../components/toasts.ts'
import { troubleOf } from '../../lib/trouble.ts'
import { useChat, useChatState } from '../chat-context.ts'
import type { Overlay } from '../Main.tsx'

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

  if (!room && !missing) return <div className="flex-1" aria-busy="true" />
  const closed = missing || room?.visibility === 'private'
  return (
    <div className="m-auto max-w-sm p-8 text-center">
      <p className="font-serif text-2xl font-semibold">
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
    </div>
  )
}
