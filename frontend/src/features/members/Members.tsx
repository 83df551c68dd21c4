import type { PresenceData } from '@klatsch/contracts'
import { useEffect, useMemo, useState } from 'react'
import { Avatar } from '../../components/Avatar.tsx'
import { Button } from '../../components/Button.tsx'
import { nameOf } from '../../lib/identity.ts'
import { fullTime, timeAgo } from '../../lib/time.ts'
import { useMinute } from '../../lib/today.ts'
import type { Person } from '../../state/state.ts'
import { useChat, useChatState, useOffline } from '../chat-context.ts'
import { HereDot } from './HereDot.tsx'

/** More than these, and a field to filter by name appears. */
const FILTER_FROM = 12
const SHOWN = 300

const isHere = (presence: PresenceData | undefined): boolean =>
  presence !== undefined && presence.state !== 'offline'

/** Milliseconds since the epoch; undefined for who is here, and for who does not want it known. */
const lastSeenOf = (presence: PresenceData | undefined): number | undefined =>
  presence?.state === 'offline' && presence.lastSeen !== undefined ? Date.parse(presence.lastSeen) : undefined

/** Everyone in a room: those who are here first, then by name. */
export function Members({ subject, inDialog = false }: { subject: string; inDialog?: boolean }) {
  const chat = useChat()
  const members = useChatState((state) => state.rooms[subject]?.members)
  const count = useChatState((state) => state.rooms[subject]?.memberCount ?? 0)
  const people = useChatState((state) => state.people)
  const me = useChatState((state) => state.me.id)
  const here = useChatState((state) => state.here.people)
  const online = useChatState((state) => state.here.online[subject])
  const offline = useOffline()
  const now = useMinute()
  const [filter, setFilter] = useState('')

  // Who was here when one was cut off may not be here any more.
  const hereCount = offline ? 0 : (online ?? 0)
  const unknown = members === undefined
  useEffect(() => {
    if (unknown) void chat.loadMembers(subject)
  }, [chat, subject, unknown])

  const shown = useMemo(() => {
    const wanted = filter.trim().toLocaleLowerCase()
    return Object.keys(members?.joined ?? {})
      .map((id) => ({ id, person: people[id], name: nameOf(people[id]) }))
      .filter(({ name }) => name.toLocaleLowerCase().includes(wanted))
      .sort(
        (a, b) =>
          Number(b.id === me) - Number(a.id === me) ||
          Number(isHere(here[b.id])) - Number(isHere(here[a.id])) ||
          a.name.localeCompare(b.name),
      )
  }, [members, people, here, filter, me])

  return (
    <div
      className={`flex h-full min-h-0 flex-col ${inDialog ? '[--ground:var(--color-raised)]' : '[--ground:var(--color-side)]'}`}
    >
      {!inDialog && (
        <h2 className="flex min-h-15 items-center gap-2 px-5 pt-[env(safe-area-inset-top)] font-semibold">
          Members <span className="font-normal text-faint tabular-nums">{count}</span>
          {hereCount > 0 && (
            <span className="ml-auto text-[13px] font-normal text-faint tabular-nums">{hereCount} here</span>
          )}
        </h2>
      )}
      {inDialog && (
        <p className="px-6 pb-3 text-sm text-soft tabular-nums">
          {count} {count === 1 ? 'person' : 'people'}
          {hereCount > 0 && `, ${hereCount} here`}
        </p>
      )}
      {count >= FILTER_FROM && (
        <div className="px-4 pb-2">
          <input
            type="search"
            aria-label="Filter members by name"
            placeholder="Filter by name"
            value={filter}
            onChange={(event) => setFilter(event.target.value)}
            className="field py-1.5 md:text-[15px]"
          />
        </div>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a list that scrolls must be reachable by keyboard */}
      <div tabIndex={0} className="min-h-0 flex-1 overflow-y-auto px-3 pb-4 -outline-offset-2">
        {members?.status === 'loading' && shown.length === 0 && (
          <ul aria-label="Loading members" className="space-y-1">
            {[1, 2, 3].map((n) => (
              <li key={n} className="flex items-center gap-3 px-2 py-1.5">
                <span className="size-7 animate-shimmer rounded-[9px] bg-press" />
                <span className="h-3.5 w-28 animate-shimmer rounded-full bg-press" />
              </li>
            ))}
          </ul>
        )}
        {members?.status === 'failed' && (
          <div className="px-2 py-4 text-soft">
            Not everyone could be loaded.
            <Button className="mt-2" onClick={() => void chat.loadMembers(subject)}>
              Try again
            </Button>
          </div>
        )}
        <ul>
          {shown.slice(0, SHOWN).map(({ id, person, name }) => (
            <MemberRow
              key={id}
              id={id}
              person={person}
              name={name}
              own={id === me}
              presence={here[id]}
              offline={offline}
              now={now}
            />
          ))}
        </ul>
        {filter !== '' && shown.length === 0 && (
          <p className="px-2 py-3 text-soft">Nobody of that name is here.</p>
        )}
        {filter === '' && (shown.length > SHOWN || members?.status === 'partial') && (
          <p className="px-2 py-2 text-sm text-faint">
            and {Math.max(count - Math.min(shown.length, SHOWN), 0)} more
          </p>
        )}
      </div>
    </div>
  )
}

function MemberRow({
  id,
  person,
  name,
  own,
  presence,
  offline,
  now,
}: {
  id: string
  person: Person | undefined
  name: string
  own: boolean
  presence: PresenceData | undefined
  /** One is cut off oneself, and so does not know how others are. */
  offline: boolean
  now: number
}) {
  const lastSeen = lastSeenOf(presence)
  const known = person !== undefined && person !== 'unknown'
  const role = known && (person.guest ? 'guest' : person.admin ? 'admin' : undefined)
  const note = [role, lastSeen === undefined ? undefined : timeAgo(lastSeen, now)].filter(Boolean).join(' · ')
  return (
    <li className="flex items-center gap-3 rounded-xl px-2 py-1.5">
      <span className="relative flex-none">
        <Avatar id={id} person={person} size="small" />
        <HereDot state={offline ? undefined : presence?.state} />
      </span>
      <span className={`min-w-0 flex-1 truncate ${presence?.state === 'offline' ? 'text-soft' : ''}`}>
        <bdi>{name}</bdi>
        {own && <span className="text-faint"> (you)</span>}
      </span>
      {note !== '' && (
        <span
          className="flex-none text-xs text-faint"
          title={lastSeen === undefined ? undefined : `Last here ${fullTime(lastSeen)}`}
        >
          {note}
        </span>
      )}
    </li>
  )
}
