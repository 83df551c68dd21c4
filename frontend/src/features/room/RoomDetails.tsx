import { GLOBAL_ROOM, limits } from '@klatsch/contracts'
import { type FormEvent, useState } from 'react'
import { Button } from '../../components/Button.tsx'
import { Dialog } from '../../components/Dialog.tsx'
import { Field } from '../../components/Field.tsx'
import { Icon } from '../../components/Icon.tsx'
import { toast } from '../../components/toasts.ts'
import type { Chat } from '../../connection/chat.ts'
import { goTo } from '../../lib/route.ts'
import { fieldTrouble, troubleOf } from '../../lib/trouble.ts'
import { myRooms } from '../../state/selectors.ts'
import { useChat, useChatState } from '../chat-context.ts'

/** About a room: its name and topic, for members to change, and the way out. */
export function RoomDetails({ subject, close }: { subject: string; close: () => void }) {
  const chat = useChat()
  const room = useChatState((state) => state.rooms[subject])
  const guest = useChatState((state) => state.me.guest)
  /** Nothing of it can be changed, by this person at least. */
  const fixed = guest || subject === GLOBAL_ROOM
  const connected = useChatState((state) => state.connection.kind === 'connected')
  const [trouble, setTrouble] = useState<{ name?: string; topic?: string; form?: string }>({})
  const [busy, setBusy] = useState(false)
  const [sure, setSure] = useState(false)
  if (!room) return null

  async function submit(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault()
    if (!room) return
    const form = new FormData(event.currentTarget)
    const line = (field: string) =>
      String(form.get(field) ?? '')
        .replace(/\s+/gu, ' ')
        .trim()
    const name = line('name')
    const topic = line('topic')
    if (name === '') {
      setTrouble({ name: 'Please give the room a name.' })
      return
    }
    const change = { ...(name === room.name ? {} : { name }), ...(topic === room.topic ? {} : { topic }) }
    if (Object.keys(change).length === 0) {
      close()
      return
    }
    setBusy(true)
    setTrouble({})
    try {
      await chat.rename(subject, change)
      close()
    } catch (error) {
      const field = fieldTrouble(error)
      setTrouble(field ? { [field.field]: field.text } : { form: troubleOf(error) })
      setBusy(false)
    }
  }

  const leave = () => {
    // A private room cannot be joined again, so there is no undo: ask first.
    if (room.visibility === 'private' && !sure) {
      setSure(true)
      return
    }
    close()
    void leaveRoom(chat, subject, room.name, room.visibility === 'public')
  }

  return (
    <Dialog title="About this room" onClose={close}>
      <form onSubmit={submit} noValidate className="space-y-4 overflow-y-auto px-6 pt-1 pb-6">
        {fixed ? (
          <>
            <p>
              <b className="font-serif text-lg">{room.name}</b>
              <br />
              {room.topic}
            </p>
            <p className="text-sm text-soft">
              {subject === GLOBAL_ROOM
                ? 'Everyone shares this room, so it keeps its name.'
                : 'Only people with an account can rename rooms.'}
            </p>
          </>
        ) : (
          <>
            <Field
              label="Name"
              name="name"
              defaultValue={room.name}
              error={trouble.name}
              maxLength={limits.roomNameChars}
              autoComplete="off"
              required
            />
            <Field
              label="Topic"
              name="topic"
              defaultValue={room.topic}
              error={trouble.topic}
              maxLength={limits.topicChars}
              autoComplete="off"
            />
          </>
        )}
        {(trouble.form || (!connected && !fixed)) && (
          <p role="alert" className="flex gap-2.5 rounded-xl bg-warn-soft px-3.5 py-2.5 text-warn">
            <Icon name="alert" />
            <span>{trouble.form ?? 'You are offline. Changes can be made when you are back.'}</span>
          </p>
        )}
        {sure && (
          <p role="alert" className="rounded-xl bg-bad-soft px-3.5 py-2.5 text-bad">
            This room is private: once you leave, you cannot come back by yourself.
          </p>
        )}
        <div className="flex flex-wrap items-center justify-between gap-2 pt-2">
          <Button kind="danger" onClick={leave}>
            <Icon name="leave" />
            {sure ? 'Leave for good' : 'Leave room'}
          </Button>
          <span className="flex gap-2">
            <Button onClick={close} data-autofocus>
              {fixed ? 'Close' : 'Cancel'}
            </Button>
            {!fixed && (
              <Button type="submit" kind="primary" busy={busy} disabled={!connected}>
                Save
              </Button>
            )}
          </span>
        </div>
      </form>
    </Dialog>
  )
}

/** Leaves, goes to the next room, and offers the way back where there is one. */
async function leaveRoom(chat: Chat, subject: string, name: string, undoable: boolean): Promise<void> {
  try {
    await chat.leave(subject)
  } catch (error) {
    toast(`You could not leave ${name}. ${troubleOf(error)}`, { kind: 'error' })
    return
  }
  goTo(myRooms(chat.store.get()).find((room) => room.subject !== subject)?.subject, 'replace')
  const undo = () =>
    void chat.join(subject).then(
      () => goTo(subject),
      (error: unknown) => toast(troubleOf(error), { kind: 'error' }),
    )
  toast(`You left ${name}.`, { action: undoable ? { label: 'Undo', run: undo } : undefined })
}
