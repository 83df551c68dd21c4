import { useEffect } from 'react'
import { Button } from '../components/Button.tsx'
import { Dialog } from '../components/Dialog.tsx'
import { waitingCount } from '../state/selectors.ts'
import type { Store } from '../state/store.ts'
import type { EntryMode } from './entry/EntryScreen.tsx'

/** Asks only where something would be lost: a guest's name, or messages that wait. */
export function LogOutDialog({
  next,
  logOut,
  close,
  store,
}: {
  next: EntryMode
  logOut: () => void
  close: () => void
  store: Store
}) {
  const { me } = store.get()
  const waiting = waitingCount(store.get())
  const harmless = !me.guest && waiting === 0
  useEffect(() => {
    if (harmless) logOut()
  }, [harmless, logOut])
  if (harmless) return null
  return (
    <Dialog title={next === 'register' ? 'Leave as a guest?' : 'Log out?'} onClose={close}>
      <div className="space-y-3 px-6 pb-6">
        {me.guest && (
          <p>
            You are here as a guest. Once you leave you cannot come back as <b>{me.displayName}</b>; what you
            wrote stays.
          </p>
        )}
        {waiting > 0 && (
          <p>
            {waiting === 1 ? 'One message is' : `${waiting} messages are`} still waiting to be sent
            {me.guest ? ' and will be lost.' : ' and will go out when you log in here again.'}
          </p>
        )}
        <div className="flex flex-wrap justify-end gap-2 pt-3">
          <Button onClick={close} data-autofocus>
            Stay
          </Button>
          <Button kind="primary" onClick={logOut}>
            {next === 'register' ? 'Leave and create an account' : 'Log out'}
          </Button>
        </div>
      </div>
    </Dialog>
  )
}
