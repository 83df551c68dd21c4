import type { ConnectionState } from '@klatsch/client'
import { type ReactNode, useEffect, useState } from 'react'
import { waitingCount } from '../../state/selectors.ts'
import { useChat, useChatState, useOffline } from '../chat-context.ts'

/** Says when one is not connected, what happens to what one writes, and when it will be tried again. */
export function ConnectionBar() {
  const chat = useChat()
  const connection = useChatState((state) => state.connection)
  const waiting = useChatState(waitingCount)
  const forgetful = useChatState((state) => state.forgetful)
  const away = useOffline()
  const seconds = useCountdown(connection)
  if (!away) return <div role="status" />

  const first = connection.kind === 'idle' || (connection.kind === 'connecting' && connection.attempt === 0)
  return (
    <div role="status" className="border-b border-line bg-warn-soft text-warn">
      <div className="flex min-h-11 items-center gap-3 px-4 py-1 text-sm md:px-6">
        <span aria-hidden="true" className="size-2 flex-none animate-shimmer rounded-full bg-current" />
        <p className="min-w-0 flex-1">
          <b>{first ? 'Connecting…' : 'You are offline.'}</b> {fate(waiting, first)}
          {forgetful && waiting > 0 && ' Keep this page open until then.'}
        </p>
        {connection.kind === 'waiting' && (
          <>
            <span aria-hidden="true" className="flex-none tabular-nums">
              {seconds > 0 ? <Countdown>{seconds}</Countdown> : ''}
            </span>
            <TryNow onClick={chat.tryNow}>Try now</TryNow>
          </>
        )}
        {connection.kind === 'connecting' && !first && <span className="flex-none">Trying…</span>}
        {connection.kind === 'stopped' && <TryNow onClick={chat.tryNow}>Connect</TryNow>}
      </div>
    </div>
  )
}

function fate(waiting: number, first: boolean): string {
  if (waiting === 0) return first ? '' : 'What you write is kept and sent when you are back.'
  const sent = first ? 'will be sent in a moment.' : "will be sent when you're back."
  return waiting === 1
    ? `One message is waiting; it ${sent}`
    : `${waiting} messages are waiting; they ${sent}`
}

const Countdown = ({ children }: { children: ReactNode }) => (
  <>
    <span className="max-sm:hidden">next try </span>in {children} s
  </>
)

function TryNow({ onClick, children }: { onClick: () => void; children: ReactNode }) {
  return (
    <button
      type="button"
      onClick={onClick}
      className="min-h-9 flex-none rounded-lg px-2 font-semibold underline underline-offset-4 hover:bg-hover"
    >
      {children}
    </button>
  )
}

/** Whole seconds until the next try. */
function useCountdown(connection: ConnectionState): number {
  const retryAt = connection.kind === 'waiting' ? connection.retryAt : undefined
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    if (retryAt === undefined) return
    setNow(Date.now())
    const timer = setInterval(() => setNow(Date.now()), 500)
    return () => clearInterval(timer)
  }, [retryAt])
  return retryAt === undefined ? 0 : Math.max(0, Math.ceil((retryAt - now) / 1_000))
}
