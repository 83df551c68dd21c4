import type { Api } from '@klatsch/client'
import { type Session, usernameSchema } from '@klatsch/contracts'
import { type FormEvent, type KeyboardEvent, useId, useRef, useState } from 'react'
import { Button } from '../../components/Button.tsx'
import { Field } from '../../components/Field.tsx'
import { Icon } from '../../components/Icon.tsx'
import { Logo } from '../../components/Logo.tsx'
import { fieldTrouble, sentence, troubleOf } from '../../lib/trouble.ts'
import { Steam } from './Steam.tsx'

export type EntryMode = 'guest' | 'login' | 'register'

const tabs: readonly { readonly mode: EntryMode; readonly label: string }[] = [
  { mode: 'guest', label: 'Guest' },
  { mode: 'login', label: 'Log in' },
  { mode: 'register', label: 'Create account' },
]

interface Trouble {
  readonly username?: string
  readonly password?: string
  readonly displayName?: string
  readonly form?: string
}

/** The first screen: in with a name, or with an account. */
export function EntryScreen({
  api,
  start,
  notice,
  initialMode = 'guest',
}: {
  api: Pick<Api, 'guest' | 'login' | 'register'>
  start: (session: Session) => void
  notice: string | undefined
  initialMode?: EntryMode
}) {
  const [mode, setMode] = useState<EntryMode>(initialMode)
  const [trouble, setTrouble] = useState<Trouble>({})
  const [busy, setBusy] = useState(false)
  const [username, setUsername] = useState('')
  const first = useRef<HTMLInputElement>(null)
  const panel = useId()

  function choose(next: EntryMode): void {
    setMode(next)
    setTrouble({})
  }

  async function submit(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const name = username.trim().normalize('NFC')
    const password = String(form.get('password') ?? '')
    const displayName = String(form.get('displayName') ?? '').trim()
    const wrong = objection(mode, name, password)
    setTrouble(wrong ?? {})
    if (wrong) {
      if (wrong.username) first.current?.focus()
      return
    }
    setBusy(true)
    try {
      const body = { username: name, password }
      const session = await (mode === 'guest'
        ? api.guest({ username: name })
        : mode === 'login'
          ? api.login(body)
          : api.register(displayName === '' ? body : { ...body, displayName }))
      start(session)
    } catch (error) {
      const field = fieldTrouble(error)
      setTrouble(field ? { [field.field]: field.text } : { form: troubleOf(error) })
      setBusy(false)
      first.current?.focus()
    }
  }

  return (
    <main className="grid h-dvh grid-rows-[auto_1fr] gap-y-6 overflow-y-auto bg-side md:grid-rows-1 md:grid-cols-[1fr_minmax(26rem,1fr)]">
      <section className="relative flex flex-col justify-between gap-4 px-6 pt-[max(1.5rem,env(safe-area-inset-top))] md:p-12 lg:p-16">
        <p className="flex items-center gap-3 font-serif text-2xl font-semibold">
          <Logo size={34} />
          Klatsch
        </p>
        <div className="hidden max-w-xl md:block">
          <Steam />
          <h1 className="mt-8 font-serif text-5xl leading-[1.08] font-semibold tracking-tight lg:text-6xl">
            Pull up a chair.
          </h1>
          <p className="mt-5 max-w-md text-lg leading-relaxed text-soft">
            A chat that keeps its word: what was confirmed is never lost, never doubled, never out of order.
            And anyone can check.
          </p>
        </div>
        <p className="hidden text-sm text-faint md:block">
          <i lang="de">Kaffeeklatsch</i>, noun: good talk over coffee.
        </p>
      </section>

      <section className="flex items-start justify-center px-4 pb-[max(2rem,env(safe-area-inset-bottom))] md:items-center md:p-10">
        <div className="w-full max-w-md rounded-3xl bg-raised p-5 shadow-card sm:p-8">
          <h1 className="font-serif text-[1.75rem] leading-tight font-semibold tracking-tight md:hidden">
            Pull up a chair.
          </h1>
          <p className="mt-1 mb-5 text-soft md:hidden">
            Nothing confirmed is ever lost, doubled or shuffled.
          </p>
          {notice && (
            <p className="mb-5 flex gap-2.5 rounded-xl bg-warn-soft px-3.5 py-2.5 text-warn">
              <Icon name="alert" />
              <span>{notice}</span>
            </p>
          )}
          <Tabs mode={mode} choose={choose} toField={() => first.current?.focus()} panel={panel} />
          <div id={panel} role="tabpanel" aria-label={tabs.find((tab) => tab.mode === mode)?.label}>
            <form noValidate onSubmit={submit}>
              <div className="mt-6 space-y-4">
                <Field
                  ref={first}
                  label={mode === 'guest' ? 'What shall we call you?' : 'Name'}
                  name="username"
                  value={username}
                  onChange={(event) => setUsername(event.target.value)}
                  error={trouble.username}
                  hint={mode === 'guest' ? 'No password, no e-mail. You can talk right away.' : undefined}
                  autoFocus
                  autoComplete={mode === 'guest' ? 'nickname' : 'username'}
                  autoCapitalize="none"
                  spellCheck={false}
                  maxLength={64}
                  required
                />
                {mode === 'register' && (
                  <Field
                    label="Shown as (if you like)"
                    name="displayName"
                    error={trouble.displayName}
                    autoComplete="name"
                    maxLength={64}
                  />
                )}
                {mode !== 'guest' && (
                  <Field
                    label="Password"
                    name="password"
                    type="password"
                    error={trouble.password}
                    hint={mode === 'register' ? 'At least 8 characters.' : undefined}
                    autoComplete={mode === 'login' ? 'current-password' : 'new-password'}
                    required
                  />
                )}
              </div>
              {trouble.form && (
                <p role="alert" className="mt-4 flex gap-2.5 rounded-xl bg-bad-soft px-3.5 py-2.5 text-bad">
                  <Icon name="alert" />
                  <span>{trouble.form}</span>
                </p>
              )}
              <Button type="submit" kind="primary" busy={busy} className="mt-6 w-full text-base">
                {mode === 'guest' ? 'Come in' : mode === 'login' ? 'Log in' : 'Create account'}
              </Button>
            </form>
          </div>
        </div>
      </section>
    </main>
  )
}

function objection(mode: EntryMode, name: string, password: string): Trouble | undefined {
  if (name === '') return { username: 'Please write a name.' }
  if (mode !== 'login') {
    const parsed = usernameSchema.safeParse(name)
    if (!parsed.success) {
      const text =
        name.length < 2
          ? 'Use at least 2 characters.'
          : name.length > 32
            ? 'Use at most 32 characters.'
            : undefined
      return { username: text ?? sentence(parsed.error.issues.at(-1)?.message ?? 'That name cannot be used') }
    }
  }
  if (mode === 'login' && password === '') return { password: 'Please write your password.' }
  if (mode === 'register' && password.length < 8) return { password: 'Use at least 8 characters.' }
  return undefined
}

function Tabs({
  mode,
  choose,
  toField,
  panel,
}: {
  mode: EntryMode
  choose: (mode: EntryMode) => void
  /** Who points goes on to write; who uses the keys stays on the tab. */
  toField: () => void
  panel: string
}) {
  function move(event: KeyboardEvent<HTMLDivElement>): void {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
    if (step === 0) return
    event.preventDefault()
    const at = tabs.findIndex((tab) => tab.mode === mode)
    const next = tabs[(at + step + tabs.length) % tabs.length]
    if (!next) return
    choose(next.mode)
    event.currentTarget.querySelector<HTMLElement>(`[data-mode="${next.mode}"]`)?.focus()
  }
  return (
    <div
      role="tablist"
      aria-label="How to come in"
      onKeyDown={move}
      className="grid grid-cols-[1fr_1fr_auto] gap-1 rounded-2xl md:grid-cols-3 bg-side p-1"
    >
      {tabs.map((tab) => (
        <button
          key={tab.mode}
          type="button"
          role="tab"
          data-mode={tab.mode}
          aria-selected={tab.mode === mode}
          aria-controls={panel}
          tabIndex={tab.mode === mode ? 0 : -1}
          onClick={() => {
            choose(tab.mode)
            toField()
          }}
          className="min-h-10 rounded-xl px-2.5 text-sm whitespace-nowrap font-semibold text-soft hover:text-ink aria-selected:bg-raised aria-selected:text-ink aria-selected:shadow-card"
        >
          {tab.label}
        </button>
      ))}
    </div>
  )
}
