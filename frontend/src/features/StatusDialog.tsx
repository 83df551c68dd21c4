import { useState } from 'react'
import { Dialog } from '../components/Dialog.tsx'
import { useChat } from './chat-context.ts'

/** How others see whether one is here. */
export function StatusDialog({ close }: { close: () => void }) {
  const { presence } = useChat()
  const [choices, setChoices] = useState(presence.choices)
  const choose = (change: Partial<typeof choices>) => {
    const next = { ...choices, ...change }
    setChoices(next)
    presence.choose(next)
  }
  return (
    <Dialog title="How others see you" onClose={close}>
      <div className="space-y-4 px-6 pb-6">
        <label className="flex items-start gap-3">
          <input
            type="checkbox"
            data-autofocus
            className="mt-1 size-4 flex-none"
            checked={choices.dnd}
            onChange={(event) => choose({ dnd: event.target.checked })}
          />
          <span>
            Do not disturb
            <span className="block text-sm text-soft">Others see that you are here, and busy.</span>
          </span>
        </label>
        <label className="flex items-start gap-3">
          <input
            type="checkbox"
            className="mt-1 size-4 flex-none"
            checked={choices.hideLastSeen}
            onChange={(event) => choose({ hideLastSeen: event.target.checked })}
          />
          <span>
            Hide when I was last here
            <span className="block text-sm text-soft">Once you are gone, nobody is told since when.</span>
          </span>
        </label>
        <p className="text-sm text-faint">
          This device remembers what you chose. It counts while you are here with it.
        </p>
      </div>
    </Dialog>
  )
}
