import {
  type FaultPointInfo,
  type FaultRule,
  faultInstanceSchema,
  KlatschError,
  type LabFault,
  type LabFaults,
  type LabHalt,
  type NewFault,
} from '@klatsch/contracts'
import type { BatchHandler } from '@klatsch/event-bus'
import { knownInstances } from '../domain/instances.ts'
import { isOver, meant, type OrderedRule, objection, ruleOf, standing } from '../domain/rules.ts'
import type { Actor, Audit } from '../outbound/audit.ts'
import type { FaultOrders } from '../outbound/fault-orders.ts'
import type { FaultRules } from '../outbound/fault-rules.ts'

/** How long it is waited for instances to say that a rule stands. */
const ACK_MS = 2_000
/** Rules that are over are shown for so long. */
const SHOWN_MS = 3_600_000

export interface Faults {
  /** Learns from Postgres what was ordered before. */
  recall(): Promise<void>
  /** Takes what instances say of themselves, from `lab.instances`. */
  readonly heard: BatchHandler
  list(): LabFaults
  /** Resolves when every instance has it, or after 2 s. @throws KlatschError `request.invalid`, `server.unavailable` */
  set(order: NewFault, by: Actor): Promise<LabFault>
  /** @throws KlatschError `request.not_found`, `server.unavailable` */
  halt(id: string, by: Actor): Promise<LabFault>
  /** Ends every fault everywhere, by HTTP; never throws. */
  haltAll(by: Actor): Promise<LabHalt>
}

export function faultControl(options: {
  readonly points: readonly FaultPointInfo[]
  readonly orders: FaultOrders
  readonly rules: FaultRules
  readonly audit: Audit
  readonly now: () => number
  readonly newId: () => string
  readonly newSeed: () => number
  readonly warn: (fields: object, message: string) => void
}): Faults {
  const { points, orders, rules, audit, now, warn } = options
  const ordered = new Map<string, OrderedRule>()
  const instances = knownInstances()
  const listeners = new Set<() => void>()

  const later = (what: string, work: Promise<unknown>): void => void work.catch((err) => warn({ err }, what))
  const serviceOf = (rule: FaultRule) => points.find(({ name }) => name === rule.point)?.service ?? ''
  const shown = (each: OrderedRule) => standing(each, serviceOf(each.rule), instances.live(now()), now())

  function remember(rule: FaultRule): OrderedRule {
    for (const [id, each] of ordered) {
      if (isOver(each, now()) && now() - Date.parse(each.rule.until) > SHOWN_MS) ordered.delete(id)
    }
    const made = { rule, haltedAt: undefined, heardAt: new Map<string, number>() }
    ordered.set(rule.id, made)
    return made
  }

  /** Resolves when all instances it is meant for have it, or in time. */
  function acknowledged(each: OrderedRule): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, ACK_MS)
    const look = () => {
      const { of, active } = shown(each)
      if (active.length >= of) resolve()
    }
    listeners.add(look)
    look()
    return promise.finally(() => {
      clearTimeout(timer)
      listeners.delete(look)
    })
  }

  function callOff(each: OrderedRule): void {
    each.haltedAt = now()
    later('a fault could not be called off on the log', orders.halt(each.rule.id))
    later('a halt could not be kept', rules.halt([each.rule.id], new Date(each.haltedAt)))
  }

  return {
    async recall() {
      for (const rule of await rules.open(new Date(now()))) remember(rule)
    },

    async heard(records) {
      for (const { value } of records) {
        const said = faultInstanceSchema.safeParse(parsed(value))
        if (!said.success) continue
        const isNew = instances.take(said.data, now())
        for (const { id } of said.data.rules) {
          const heardAt = ordered.get(id)?.heardAt
          if (heardAt && !heardAt.has(said.data.instance)) heardAt.set(said.data.instance, now())
        }
        if (isNew) {
          for (const each of ordered.values()) {
            const { rule } = each
            const forIt = meant(rule, serviceOf(rule), [said.data]).length > 0
            if (rule.survivesRestart && forIt && !isOver(each, now())) {
              later('a fault could not be ordered again', orders.set(rule))
            }
          }
        }
      }
      for (const look of listeners) look()
    },

    list: () => ({
      points: [...points],
      rules: [...ordered.values()].map(shown),
      instances: instances.live(now()).map(({ service, instance, url }) => ({ service, instance, url })),
    }),

    async set(order, by) {
      const wrong = objection(
        order,
        points.find(({ name }) => name === order.point),
      )
      if (wrong !== undefined) throw new KlatschError('request.invalid', wrong)
      const made = { id: options.newId(), seed: options.newSeed(), now: now(), by: by.actor }
      const rule = ruleOf(order, made)
      await audit.write(by, 'fault.set', rule)
      await rules.add(rule)
      const each = remember(rule)
      try {
        await orders.set(rule)
      } catch (error) {
        // It may get there yet, so it is called off behind it.
        callOff(each)
        throw error
      }
      await acknowledged(each)
      return shown(each)
    },

    async halt(id, by) {
      const each = ordered.get(id)
      if (!each) throw new KlatschError('request.not_found', 'no such fault was set here')
      await audit.write(by, 'fault.halted', { id })
      await orders.halt(id)
      if (each.haltedAt === undefined) {
        each.haltedAt = now()
        await rules.halt([id], new Date(each.haltedAt))
      }
      return shown(each)
    },

    async haltAll(by) {
      const at = new Date(now())
      const answers = await orders.haltAll(instances.addresses(), at)
      const open = [...ordered.values()].filter((each) => !isOver(each, now()))
      for (const each of open) callOff(each)
      const halt = { rules: open.length, instances: answers }
      later('a halt could not be written into the audit log', audit.write(by, 'fault.halted-all', halt))
      return halt
    },
  }
}

function parsed(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString())
  } catch {
    return undefined
  }
}
