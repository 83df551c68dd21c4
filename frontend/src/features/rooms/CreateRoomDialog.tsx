import { limits, type Visibility } from '@klatsch/contracts'
import { type FormEvent, useState } from 'react'
import { Button } from '../../components/Button.tsx'
import { Dialog } from '../../components/Dialog.tsx'
import { Field } from '../../components/Field.tsx'
import { Icon } from '../../components/Icon.tsx'
import { goTo } from '../../lib/route.ts'
import { fieldTrouble, troubleOf } from '../../lib/trouble.ts'
import { useChat, useChatState } from '../chat-context.ts'

const kinds: readonly { readonly value: Visibility; readonly label: string; readonly text: string }[] = [
  { value: 'public', label: 'Public', text: 'Everyone with an account can find and join it.' },
  { value: 'private', label: 'Private', text: 'Only members see it. Nobody can join by themselves.' },
]

export function CreateRoomDialog({ name, close }: { name: string; close: () => void }) {
  const chat = useChat()
  const connected = useChatState((state) => state.connection.kind === 'connected')
  const [trouble, setTrouble] = useState<{ name?: string; topic?: string; form?: string }>({})
  const [busy, setBusy] = useState(false)

  async function submit(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const line = (field: string) =>
      String(form.get(field) ?? '')
        .replace(/\s+/gu, ' ')
        .trim()
    if (line('name') === '') {
      setTrouble({ name: 'Please give the room a name.' })
      return
    }
    setBusy(true)
    setTrouble({})
    try {
      const visibility = form.get('visibility') === 'private' ? 'private' : 'public'
      const subject = await chat.create({ name: line('name'), topic: line('topic'), visibility })
      close()
      goTo(subject)
    } catch (error) {
      const field = fieldTrouble(error)
      setTrouble(field ? { [field.field]: field.text } : { form: troubleOf(error) })
      setBusy(false)
    }
  }

  return (
    <Dialog title="Create a room" onClose={close}>
      <form onSubmit={submit} noValidate className="space-y-4 overflow-y-auto px-6 pt-1 pb-6">
        <Field
          label="Name"
          name="name"
          defaultValue={name}
          error={trouble.name}
          maxLength={limits.roomNameChars}
          data-autofocus
          autoComplete="off"
          required
        />
        <Field
          label="Topic (if you like)"
          name="topic"
          error={trouble.topic}
          maxLength={limits.topicChars}
          autoComplete="off"
        />
        <fieldset>
          <legend className="mb-1.5 text-sm font-semibold">Who can find it?</legend>
          <div className="grid gap-2 sm:grid-cols-2">
            {kinds.map((kind) => (
              <label
                key={kind.value}
                className="flex cursor-pointer gap-3 rounded-xl border border-line px-3.5 py-3 hover:bg-hover has-checked:border-accent has-checked:bg-accent-soft has-focus-visible:outline-2 has-focus-visible:outline-accent"
              >
                <input
                  type="radio"
                  name="visibility"
                  value={kind.value}
                  defaultChecked={kind.value === 'public'}
                  className="mt-1 flex-none"
                />
                <span>
                  <span className="block font-semibold">{kind.label}</span>
                  <span className="block text-sm text-soft">{kind.text}</span>
                </span>
              </label>
            ))}
          </div>
        </fieldset>
        {(trouble.form || !connected) && (
          <p role="alert" className="flex gap-2.5 rounded-xl bg-warn-soft px-3.5 py-2.5 text-warn">
            <Icon name="alert" />
            <span>{trouble.form ?? 'You are offline. The room can be made when you are back.'}</span>
          </p>
        )}
        <div className="flex justify-end gap-2 pt-1">
          <Button onClick={close}>Cancel</Button>
          <Button type="submit" kind="primary" busy={busy} disabled={!connected}>
            Create room
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
