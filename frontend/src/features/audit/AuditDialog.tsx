import type { Audit } from '@klatsch/contracts'
import { useEffect, useState } from 'react'
import { Dialog } from '../../components/Dialog.tsx'
import { clockTime, dayName } from '../../lib/time.ts'
import { useChat } from '../chat-context.ts'
import { grouped } from './AuditLine.tsx'
import { useCounts } from './useCounts.ts'

const ASK_MS = 5_000

/** What is checked, here and on the server, and what came of it. */
export function AuditDialog({ close }: { close: () => void }) {
  const audit = useAudit()
  const { checked, diverged, healed } = useCounts()
  return (
    <Dialog title="Nothing lost, and anyone can check" onClose={close}>
      <div className="space-y-5 overflow-y-auto px-6 pb-6">
        <p className="text-soft">
          Everything that happens in a room carries a fingerprint of itself and of what came before it. If
          anything were lost, doubled, changed or moved, the fingerprints would no longer fit.
        </p>
        <Counts
          title="This page"
          about="since it was opened"
          counts={[
            ['Events checked', checked],
            ['Diverged', diverged],
            ['Healed', healed],
          ]}
        />
        {audit === 'failed' ? (
          <p className="text-warn">The server cannot be asked right now.</p>
        ) : (
          <Counts
            title="The server"
            about={audit ? `since ${sinceName(Date.parse(audit.since), Date.now())}` : 'asking…'}
            counts={[
              ['Ends of rooms compared with the record', audit?.headsCompared],
              ['Positions of readers compared', audit?.checked],
              ['Diverged', audit?.diverged],
              ['Healed', audit?.healed],
            ]}
          />
        )}
        <p className="text-sm text-soft">
          <b className="font-semibold text-ink">Diverged</b>: something did not fit, or was missing.{' '}
          <b className="font-semibold text-ink">Healed</b>: it was fetched again from the record, and fits.
        </p>
      </div>
    </Dialog>
  )
}

function Counts({
  title,
  about,
  counts,
}: {
  title: string
  about: string
  /** Undefined: not known yet. */
  counts: readonly (readonly [string, number | undefined])[]
}) {
  return (
    <section className="rounded-2xl border border-line bg-paper px-4 py-3">
      <h3 className="mb-1.5 font-semibold">
        {title} <span className="text-[13px] font-normal text-faint">{about}</span>
      </h3>
      <dl className="space-y-1">
        {counts.map(([name, count]) => (
          <div key={name} className="flex justify-between gap-4">
            <dt className="text-soft">{name}</dt>
            <dd className="tabular-nums">{count === undefined ? '–' : grouped.format(count)}</dd>
          </div>
        ))}
      </dl>
    </section>
  )
}

/** `12:55`, or with the day when that was another one. */
function sinceName(at: number, now: number): string {
  const today = new Date(at).toDateString() === new Date(now).toDateString()
  return today ? clockTime(at) : `${dayName(at, now)}, ${clockTime(at)}`
}

/** What the server says, asked again while one looks. Figures that were there stay when it cannot be asked. */
function useAudit(): Audit | 'failed' | undefined {
  const chat = useChat()
  const [audit, setAudit] = useState<Audit | 'failed'>()
  useEffect(() => {
    let current = true
    const ask = () =>
      void chat.audit().then(
        (answer) => current && setAudit(answer),
        () => current && setAudit((before) => before ?? 'failed'),
      )
    ask()
    const timer = setInterval(ask, ASK_MS)
    return () => {
      current = false
      clearInterval(timer)
    }
  }, [chat])
  return audit
}
