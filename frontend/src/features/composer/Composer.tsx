import { limits } from '@klatsch/contracts'
import {
  type ClipboardEvent,
  type DragEvent,
  type KeyboardEvent,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from 'react'
import { Icon } from '../../components/Icon.tsx'
import { toast } from '../../components/toasts.ts'
import { readDraft, writeDraft } from '../../lib/drafts.ts'
import { useChat, useChatState } from '../chat-context.ts'
import { COMPOSER_ID } from '../shortcuts.ts'
import { scrollTimeline } from '../timeline/scroll.ts'

const MAX = limits.messageChars
/** The counter shows from here on. */
const NEAR = MAX - 500
/** More than this is not even put into the field: it could never be sent, and fields grow slow. */
const TAKEN_MAX = MAX * 4
const DRAFT_MS = 300

const grouped = new Intl.NumberFormat()
const touch = matchMedia('(pointer: coarse)')

/** Text as it can be stored and hashed anywhere (no U+0000, no half characters), without blank lines around it. */
const storable = (text: string): string =>
  text
    .replaceAll('\u0000', '')
    .toWellFormed()
    .replace(/^(?:\s*\n)+/, '')
    .trimEnd()

export function Composer({ subject }: { subject: string }) {
  const chat = useChat()
  const me = useChatState((state) => state.me.id)
  const name = useChatState((state) => state.rooms[subject]?.name ?? '')
  const [text, setText] = useState(() => readDraft(me, subject))
  const field = useRef<HTMLTextAreaElement>(null)
  const left = MAX - text.length
  const sendable = text.trim() !== '' && left >= 0

  useEffect(() => {
    // On a phone the keyboard would cover what one came to read.
    if (!touch.matches && !document.querySelector('dialog[open]')) field.current?.focus()
  }, [])

  useEffect(() => {
    const timer = setTimeout(() => writeDraft(me, subject, text), DRAFT_MS)
    return () => clearTimeout(timer)
  }, [me, subject, text])

  useLayoutEffect(() => {
    const area = field.current
    if (!area) return
    area.style.height = 'auto'
    area.style.height = `${area.scrollHeight}px`
  }, [text])

  function send(): void {
    if (!sendable) return
    chat.send(subject, storable(text))
    setText('')
    writeDraft(me, subject, '')
    scrollTimeline('end')
    field.current?.focus()
  }

  function pressed(event: KeyboardEvent<HTMLTextAreaElement>): void {
    // While an input method composes, Enter chooses a word.
    if (event.nativeEvent.isComposing || event.keyCode === 229) return
    if (event.key === 'Enter' && !event.shiftKey && !touch.matches) {
      event.preventDefault()
      send()
    } else if ((event.key === 'PageUp' || event.key === 'PageDown') && !event.shiftKey) {
      event.preventDefault()
      scrollTimeline(event.key === 'PageUp' ? 'up' : 'down')
    } else if (event.key === 'Escape') {
      event.preventDefault()
      scrollTimeline('end')
    }
  }

  function refuseHuge(given: string, event: ClipboardEvent | DragEvent): void {
    if (given.length <= TAKEN_MAX) return
    event.preventDefault()
    toast(
      `That is ${sizeOf(given.length)} of text, and a message holds ${grouped.format(MAX)} characters. It was not pasted: put it in a file and share a link, or paste the part that matters.`,
      { kind: 'error' },
    )
  }

  return (
    <div className="px-3 pb-[max(0.75rem,env(safe-area-inset-bottom))] md:px-6 md:pb-4">
      <div className="flex items-end gap-1 rounded-2xl border border-edge bg-raised py-1.5 pr-1.5 pl-4 shadow-[0_1px_2px_rgb(60_35_15/5%)] focus-within:border-accent">
        <textarea
          ref={field}
          id={COMPOSER_ID}
          rows={1}
          dir="auto"
          value={text}
          placeholder={`Write to ${name}`}
          aria-label={`Message to ${name}`}
          aria-describedby={left < MAX - NEAR ? 'composer-left' : undefined}
          aria-invalid={left < 0 || undefined}
          enterKeyHint={touch.matches ? 'enter' : 'send'}
          onChange={(event) => {
            setText(event.target.value)
            chat.presence.type(subject, event.target.value.trim() !== '')
          }}
          onKeyDown={pressed}
          onPaste={(event) => refuseHuge(event.clipboardData.getData('text/plain'), event)}
          onDrop={(event) => refuseHuge(event.dataTransfer.getData('text/plain'), event)}
          className="max-h-[40dvh] min-h-9 min-w-0 flex-1 resize-none bg-transparent py-1.5 text-base leading-6 outline-none max-md:min-h-11 max-md:py-2.5 md:text-[15px]"
        />
        <button
          type="button"
          onClick={send}
          disabled={!sendable}
          aria-label="Send"
          title="Send (Enter). A new line: Shift Enter"
          className="inline-flex size-9 flex-none items-center justify-center rounded-xl bg-accent text-on-accent transition-colors hover:bg-accent-deep disabled:bg-transparent disabled:text-faint max-md:size-11"
        >
          <Icon name="send" />
        </button>
      </div>
      {left < MAX - NEAR && (
        <p
          id="composer-left"
          className={`mt-1 pr-2 text-right text-[13px] tabular-nums ${left < 0 ? 'font-semibold text-bad' : 'text-faint'}`}
        >
          {left < 0
            ? `${grouped.format(-left)} ${left === -1 ? 'character' : 'characters'} too many`
            : `${grouped.format(left)} characters left`}
        </p>
      )}
    </div>
  )
}

/** About how much text that is. */
function sizeOf(chars: number): string {
  return chars >= 1_000_000 ? `${(chars / 1_000_000).toFixed(1)} MB` : `${Math.round(chars / 1_000)} KB`
}
