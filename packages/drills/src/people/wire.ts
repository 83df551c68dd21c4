import { systemScheduler, timerSet } from '@klatsch/streams'

/** A message that was said, until it is answered. `after`: the command before it in its room. */
export interface Said {
  readonly id: string
  readonly room: string
  readonly text: string
  readonly after: string | undefined
}

/** The command that says it, as a frame. */
export const messageFrame = ({ id, room: subject, text, after }: Said): object => {
  const named = after === undefined ? {} : { after }
  return { type: 'command', id, command: 'chat.message.send.v1', subject, ...named, data: { text } }
}

/** What somebody does later, while they are there. */
export interface Lifetime {
  readonly over: boolean
  later(ms: number, task: () => void): void
  end(): void
}

export function lifetime(): Lifetime {
  const timers = timerSet(systemScheduler)
  let over = false
  return {
    get over() {
      return over
    },
    later(ms, task) {
      if (!over) timers.after(ms, task)
    },
    end() {
      over = true
      timers.clear()
    },
  }
}
