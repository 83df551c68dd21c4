import { GLOBAL_ROOM, limits, type Room, roomSubject } from '@klatsch/contracts'
import { type KeyboardEvent, type ReactNode, useEffect, useId, useMemo, useRef, useState } from 'react'
import { Button } from '../../components/Button.tsx'
import { Dialog } from '../../components/Dialog.tsx'
import { Icon } from '../../components/Icon.tsx'
import { toast } from '../../components/toasts.ts'
import { goTo } from '../../lib/route.ts'
import { troubleOf } from '../../lib/trouble.ts'
import { myRooms } from '../../state/selectors.ts'
import { useChat, useChatState } from '../chat-context.ts'
import type { Overlay } from '../Main.tsx'

type Choice =
  | {
      readonly kind: 'mine' | 'other'
      readonly subject: string
      readonly name: string
      readonly topic: string
      readonly count: number
      readonly locked: boolean
    }
  | { readonly kind: 'create'; readonly name: string }

const plain = (text: string): string => text.normalize('NFKD').replace(/\p{M}/gu, '').toLocaleLowerCase()

/** Goes to a room, joins a public one, or makes a new one: type, arrow keys, Enter. */
export function RoomFinder({ show, close }: { show: (overlay: Overlay) => void; close: () => void }) {
  const chat = useChat()
  const me = useChatState((state) => state.me)
  const mine = useChatState(myRooms)
  const { rooms, failed, again } = usePublicRooms()
  const [query, setQuery] = useState('')
  const [active, setActive] = useState(0)
  const [joining, setJoining] = useState<string>()
  const list = useRef<HTMLDivElement>(null)
  const id = useId()

  const choices = useMemo((): readonly Choice[] => {
    const wanted = plain(query.trim())
    const fits = (room: { name: string; topic: string }) =>
      plain(`${room.name} ${room.topic}`).includes(wanted)
    const had = new Set(mine.map((room) => room.subject))
    const own = mine.filter(fits).map(
      (room): Choice => ({
        ...room,
        kind: 'mine',
        count: room.memberCount,
        locked: room.visibility === 'private',
      }),
    )
    const others = (rooms ?? [])
      .filter((room) => !had.has(roomSubject(room.id)) && fits(room))
      .map((room): Choice => {
        const subject = roomSubject(room.id)
        return {
          kind: 'other',
          subject,
          name: room.name,
          topic: room.topic,
          count: room.memberCount,
          locked: me.guest && subject !== GLOBAL_ROOM,
        }
      })
    const name = query.trim().slice(0, limits.roomNameChars)
    // Only when it is known what there is: who types fast and presses Enter wants the room of that name.
    const known = rooms !== undefined || failed
    const make: readonly Choice[] = me.guest || name === '' || !known ? [] : [{ kind: 'create', name }]
    return [...own, ...others, ...make]
  }, [query, mine, rooms, failed, me.guest])
  const at = Math.min(active, choices.length - 1)

  async function choose(choice: Choice): Promise<void> {
    switch (choice.kind) {
      case 'create':
        show({ kind: 'create', name: choice.name })
        return
      case 'mine':
        close()
        goTo(choice.subject)
        return
      case 'other':
        if (choice.locked || joining) return
        setJoining(choice.subject)
        try {
          await chat.join(choice.subject)
          close()
          goTo(choice.subject)
        } catch (error) {
          toast(troubleOf(error), { kind: 'error' })
          setJoining(undefined)
        }
    }
  }

  function pressed(event: KeyboardEvent): void {
    if (event.nativeEvent.isComposing) return
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step !== 0 && choices.length > 0) {
      event.preventDefault()
      const next = (at + step + choices.length) % choices.length
      setActive(next)
      list.current?.querySelector(`[data-index="${next}"]`)?.scrollIntoView({ block: 'nearest' })
    }
    const choice = choices[at]
    if (event.key === 'Enter' && choice) {
      event.preventDefault()
      void choose(choice)
    }
  }

  const option = (choice: Choice, index: number, children: ReactNode) => (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keyboard works on the field, which names the active option
    // biome-ignore lint/a11y/useFocusableInteractive: as above
    <div
      key={choice.kind === 'create' ? 'create' : choice.subject}
      id={`${id}-${index}`}
      data-index={index}
      role="option"
      aria-selected={index === at}
      aria-disabled={(choice.kind === 'other' && choice.locked) || undefined}
      onMouseMove={() => setActive(index)}
      onClick={() => void choose(choice)}
      className="mx-2 flex min-h-12 cursor-pointer items-center gap-3 rounded-xl px-3 py-1.5 aria-disabled:cursor-default aria-disabled:text-faint aria-selected:bg-hover"
    >
      {children}
    </div>
  )
  const firstOther = choices.findIndex((choice) => choice.kind === 'other')
  const hasMine = choices[0]?.kind === 'mine'

  return (
    <Dialog title="Find a room" titleHidden place="top" onClose={close}>
      <div className="flex items-center gap-3 border-b border-line pr-3 pl-5">
        <Icon name="search" />
        <input
          role="combobox"
          aria-expanded="true"
          aria-controls={`${id}-list`}
          aria-activedescendant={choices.length > 0 ? `${id}-${at}` : undefined}
          aria-label="Find or name a room"
          data-autofocus
          autoComplete="off"
          spellCheck={false}
          placeholder={me.guest ? 'Find a room' : 'Find a room, or name a new one'}
          value={query}
          onChange={(event) => {
            setQuery(event.target.value)
            setActive(0)
          }}
          onKeyDown={pressed}
          className="min-w-0 flex-1 bg-transparent py-4 text-base outline-none"
        />
        <button type="button" onClick={close} className="icon-button" aria-label="Close">
          <Icon name="close" />
        </button>
      </div>
      <div
        ref={list}
        id={`${id}-list`}
        role="listbox"
        aria-label="Rooms"
        className="min-h-24 flex-1 overflow-y-auto py-2"
      >
        {choices.map((choice, index) => [
          index === 0 && hasMine && <Heading key="mine">Your rooms</Heading>,
          index === firstOther && <Heading key="other">Other public rooms</Heading>,
          choice.kind === 'create'
            ? option(
                choice,
                index,
                <>
                  <span className="text-accent">
                    <Icon name="plus" />
                  </span>
                  <span className="min-w-0 truncate">
                    Create the room <b>{choice.name}</b>
                  </span>
                </>,
              )
            : option(choice, index, <RoomChoice choice={choice} joining={joining === choice.subject} />),
        ])}
        {!rooms && !failed && <p className="px-5 py-3 text-faint">Looking for public rooms…</p>}
        {failed && (
          <p className="flex flex-wrap items-center justify-between gap-2 px-5 py-2 text-soft">
            Public rooms could not be loaded.
            <Button onClick={again}>Try again</Button>
          </p>
        )}
        {rooms && choices.length === 0 && (
          <p className="px-5 py-6 text-center text-soft">
            {query.trim() === '' ? 'There are no rooms yet.' : 'No room fits that. Try fewer letters.'}
          </p>
        )}
      </div>
      {me.guest && (
        <div className="flex flex-wrap items-center justify-between gap-3 border-t border-line bg-side px-5 py-3.5">
          <p className="min-w-48 flex-1 text-sm text-soft">
            Guests talk in the room everyone shares. With an account you can join the other rooms and make
            your own.
          </p>
          <Button onClick={() => show({ kind: 'log-out', next: 'register' })}>Create an account</Button>
        </div>
      )}
    </Dialog>
  )
}

function Heading({ children }: { children: ReactNode }) {
  return (
    <p role="presentation" className="px-5 pt-2 pb-1 text-[13px] font-semibold text-faint">
      {children}
    </p>
  )
}

function RoomChoice({ choice, joining }: { choice: Exclude<Choice, { kind: 'create' }>; joining: boolean }) {
  return (
    <>
      <span className="min-w-0 flex-1 leading-snug">
        <span className="flex items-center gap-1.5 font-semibold">
          <span className="truncate">{choice.name}</span>
          {choice.locked && <Icon name="lock" size={14} />}
        </span>
        {choice.topic !== '' && <span className="block truncate text-sm text-soft">{choice.topic}</span>}
      </span>
      <span className="flex-none text-[13px] text-faint tabular-nums">
        {joining
          ? 'Joining…'
          : choice.kind === 'other' && !choice.locked
            ? 'Join'
            : `${choice.count} ${choice.count === 1 ? 'person' : 'people'}`}
      </span>
    </>
  )
}

function usePublicRooms() {
  const chat = useChat()
  const [rooms, setRooms] = useState<readonly Room[]>()
  const [failed, setFailed] = useState(false)
  const [tries, setTries] = useState(0)
  useEffect(() => {
    let current = true
    setFailed(false)
    chat.publicRooms().then(
      (found) => current && setRooms(found),
      () => current && setFailed(true),
    )
    return () => {
      current = false
    }
  }, [chat, tries])
  return { rooms, failed, again: () => setTries((count) => count + 1) }
}
