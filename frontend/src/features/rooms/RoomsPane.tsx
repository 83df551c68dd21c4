import { Avatar } from '../../components/Avatar.tsx'
import { Button } from '../../components/Button.tsx'
import { Icon } from '../../components/Icon.tsx'
import { Logo } from '../../components/Logo.tsx'
import { roomHref } from '../../lib/route.ts'
import { setTheme, type Theme, useTheme } from '../../lib/theme.ts'
import type { RoomState } from '../../state/room.ts'
import { myRooms } from '../../state/selectors.ts'
import { unreadOf } from '../../state/state.ts'
import { AuditLine } from '../audit/AuditLine.tsx'
import { useChat, useChatState, useOffline } from '../chat-context.ts'
import type { Overlay } from '../Main.tsx'
import { HereDot } from '../members/HereDot.tsx'
import { modKey } from '../shortcuts.ts'

/** The left column: the rooms one is in, who one is, and what has been checked. */
export function RoomsPane({
  current,
  alone,
  show,
}: {
  current: string | undefined
  /** Nothing else is on the screen. */
  alone: boolean
  show: (overlay: Overlay) => void
}) {
  const Pane = alone ? 'main' : 'section'
  const Name = alone ? 'h1' : 'p'
  const guest = useChatState((state) => state.me.guest)
  return (
    <Pane
      aria-label="Rooms and you"
      className="flex min-h-0 flex-col border-line bg-side pt-[env(safe-area-inset-top)] md:border-r"
    >
      <header className="flex items-center justify-between py-3 pr-3 pl-5">
        <Name className="flex items-center gap-2.5 font-serif text-[1.3rem] font-semibold tracking-tight">
          <Logo size={28} />
          Klatsch
        </Name>
        <button
          type="button"
          className="icon-button"
          title={guest ? 'Rooms of your own need an account' : 'Create a room'}
          aria-label="Create a room"
          onClick={() => show(guest ? { kind: 'finder' } : { kind: 'create', name: '' })}
        >
          <Icon name="plus" />
        </button>
      </header>
      <div className="px-3 pb-2">
        <button
          type="button"
          onClick={() => show({ kind: 'finder' })}
          className="flex min-h-11 w-full items-center gap-2.5 rounded-xl border border-line bg-paper/70 px-3 text-left text-soft hover:bg-paper hover:text-ink md:min-h-10"
        >
          <Icon name="search" size={17} />
          <span className="flex-1">Find a room</span>
          <kbd className="hidden font-sans text-xs text-faint md:block">{modKey}K</kbd>
        </button>
      </div>
      <nav aria-label="Rooms" className="min-h-0 flex-1 overflow-y-auto px-3 py-2">
        <RoomList current={current} show={show} />
      </nav>
      <Me show={show} />
      <AuditLine explain={() => show({ kind: 'audit' })} />
    </Pane>
  )
}

function RoomList({ current, show }: { current: string | undefined; show: (overlay: Overlay) => void }) {
  const chat = useChat()
  const rooms = useChatState(myRooms)
  const status = useChatState((state) => state.roomList)
  if (status === 'loading' && rooms.length === 0) {
    return (
      <ul aria-label="Loading rooms" className="space-y-2 px-2 py-1">
        {['62%', '48%', '70%', '40%'].map((width) => (
          <li key={width} className="h-8 py-2">
            <div style={{ width }} className="h-3.5 animate-shimmer rounded-full bg-press" />
          </li>
        ))}
      </ul>
    )
  }
  if (rooms.length === 0) {
    return (
      <div className="animate-late px-2 py-6 text-center">
        <p className="text-soft">
          {status === 'failed' ? 'Your rooms could not be loaded.' : 'You are not in any room yet.'}
        </p>
        <Button
          className="mt-3"
          onClick={() => (status === 'failed' ? void chat.loadRooms() : show({ kind: 'finder' }))}
        >
          {status === 'failed' ? 'Try again' : 'Find a room'}
        </Button>
      </div>
    )
  }
  return (
    <ul className="space-y-0.5">
      {rooms.map((room) => (
        <RoomLink key={room.subject} room={room} current={room.subject === current} />
      ))}
    </ul>
  )
}

function RoomLink({ room, current }: { room: RoomState; current: boolean }) {
  const unread = useChatState((state) => unreadOf(state, room))
  const failed = useChatState((state) =>
    state.sending.some((message) => message.room === room.subject && message.state === 'failed'),
  )
  const news = unread > 0
  return (
    <li>
      <a
        href={roomHref(room.subject)}
        aria-current={current ? 'page' : undefined}
        className={`flex min-h-11 items-center gap-3 rounded-xl px-3 hover:bg-hover md:min-h-9 ${
          current ? 'bg-raised font-semibold shadow-[0_1px_2px_rgb(60_35_15/8%)] hover:bg-raised' : ''
        } ${news ? 'font-semibold' : current ? '' : 'text-soft'}`}
      >
        <span
          aria-hidden="true"
          className={`size-2 flex-none rounded-full ${news ? 'bg-accent' : `border-[1.5px] ${current ? 'border-accent' : 'border-edge'}`}`}
        />
        <span className="min-w-0 flex-1 truncate">
          <bdi>{room.name}</bdi>
        </span>
        {room.visibility === 'private' && <Icon name="lock" size={14} />}
        {failed && (
          <span className="text-bad" title="A message here was not sent">
            <Icon name="alert" size={16} />
            <span className="sr-only">, a message was not sent</span>
          </span>
        )}
        {news && (
          <span className="min-w-6 rounded-full bg-accent px-1.5 py-px text-center text-xs font-bold text-on-accent tabular-nums">
            {unread > 999 ? '999+' : unread}
            <span className="sr-only"> unread</span>
          </span>
        )}
      </a>
    </li>
  )
}

const themes: Readonly<Record<Theme, { next: Theme; icon: 'half' | 'sun' | 'moon'; label: string }>> = {
  system: { next: 'light', icon: 'half', label: 'Theme: as the system' },
  light: { next: 'dark', icon: 'sun', label: 'Theme: light' },
  dark: { next: 'system', icon: 'moon', label: 'Theme: dark' },
}

function Me({ show }: { show: (overlay: Overlay) => void }) {
  const me = useChatState((state) => state.me)
  const state = useChatState(({ here }) => here.people[me.id]?.state)
  const offline = useOffline()
  const theme = themes[useTheme()]
  return (
    <div className="flex items-center gap-2.5 border-t border-line py-2.5 pr-2 pl-4">
      <button
        type="button"
        aria-label="How others see you"
        title="How others see you"
        onClick={() => show({ kind: 'status' })}
        className="relative flex-none rounded-xl [--ground:var(--color-side)]"
      >
        <Avatar id={me.id} person={me} size="medium" />
        <HereDot state={offline ? undefined : state} />
      </button>
      <p className="min-w-0 flex-1 leading-tight">
        <span className="block truncate font-semibold">{me.displayName}</span>
        <span className="block truncate text-[13px] text-faint">
          {me.guest ? 'Guest' : `@${me.username}`}
        </span>
      </p>
      <button
        type="button"
        className="icon-button"
        aria-label={`${theme.label}. Change`}
        title={theme.label}
        onClick={() => setTheme(theme.next)}
      >
        <Icon name={theme.icon} />
      </button>
      <button
        type="button"
        className="icon-button"
        aria-label="Log out"
        title="Log out"
        onClick={() => show({ kind: 'log-out', next: me.guest ? 'guest' : 'login' })}
      >
        <Icon name="leave" />
      </button>
    </div>
  )
}
