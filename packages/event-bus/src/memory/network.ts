import type { Scheduler } from '@klatsch/streams'

/** Calls from a client's process to the broker and back, each way taking a random time. */
export interface Network {
  /** Runs `work` at the broker; the answer comes back to `client`. A client that is frozen hears it late. */
  call<T>(client: Scheduler, work: () => T, extraMs?: number): Promise<T>
  /** The same where the broker answers when it is ready to. */
  ask<T>(client: Scheduler, work: (answer: (value: T) => void) => void): Promise<T>
  /** A random travelling time in milliseconds. */
  latency(): number
}

export function network(broker: Scheduler, random: () => number, maxLatencyMs: number): Network {
  const latency = () => random() * maxLatencyMs
  return {
    latency,
    call: (client, work, extraMs = 0) =>
      new Promise((resolve, reject) => {
        broker.after(latency() + extraMs, () => {
          try {
            const value = work()
            client.after(latency(), () => resolve(value))
          } catch (error) {
            client.after(latency(), () => reject(error))
          }
        })
      }),
    ask: (client, work) =>
      new Promise((resolve) => {
        broker.after(latency(), () => work((value) => client.after(latency(), () => resolve(value))))
      }),
  }
}
