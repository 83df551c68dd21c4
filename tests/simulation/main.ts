// npm run simulate: the whole program on seeded schedulers, thousands of worlds; exit code 1 when one is wrong.
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { type Bug, bugNames, knownBugs } from '@klatsch/contracts'
import { simulationOptions } from './arguments.ts'
import { shortest } from './hunt.ts'
import { runMany } from './many.ts'
import { type Plan, type PlanOptions, planOf, type Setup, smallest } from './plan.ts'
import { commandOf, printOutcome, words } from './print.ts'
import { runPlan } from './run.ts'
import { only } from './shrink.ts'

const parts = Object.keys(smallest) as (keyof Setup)[]
const HELP = `The whole program (clients, gateways, chat, presence) over a log and a record in memory, on one thread and in
virtual time. A seed decides what happens and in which order: people write, come and go while processes are killed and
frozen, partitions move, answers get lost. In the end everyone must have everything, each message once and in order, and
nobody may be said to be here who is not. Of the first seed that fails, the shortest history found is shown.

  npm run simulate                              1000 seeds
  npm run simulate -- --seeds 5000 --first 100  others
  npm run simulate -- --seed 17                 one, with what happens in it
  npm run simulate -- --bugs dedupe-off         with deliberate bugs: it must fail

  --seed N          this seed alone
  --seeds N         so many (1000), from --first N (1)
  --bugs a,b        deliberate bugs (docs/BUGS.md): ${bugNames.join(', ')}
  --steps N         things that happen in a world (60)
  --cutting N       sockets spoilt after each of them (0)
  --jobs N          threads (${availableParallelism()} here)
  --within N        seconds to look for the shortest history (60)
  --json            one JSON object at the end
  with --seed, as a failing seed says it:
  --only 3,17       only these of its steps; "none" for none
  --order N         another interleaving of them
  --${parts.join(' N, --')} N
                    how many there are of each

Exit codes: 0 all well, 1 something was found, 2 not understood.`

const { values } = (() => {
  try {
    return parseArgs({ options: simulationOptions })
  } catch (error) {
    return refuse((error as Error).message)
  }
})()
if (values.help) {
  console.log(HELP)
  process.exit(0)
}

const bugs = values.bugs.split(',').filter(Boolean) as Bug[]
for (const bug of bugs) if (!Object.hasOwn(knownBugs, bug)) refuse(`there is no bug called ${bug}`)
const steps = numberOf('steps')
const cutting = numberOf('cutting')
const options: PlanOptions = {
  ...(steps === undefined ? {} : { steps }),
  ...(cutting === undefined ? {} : { cutting }),
}
const withinMs = (numberOf('within') ?? 0) * 1_000
const say = (line: string) => {
  if (!values.json) console.log(line)
}

const seed = numberOf('seed')
process.exitCode = (seed === undefined ? await many() : await one(seed)) ? 0 : 1

/** One seed, or what is left of it. */
async function one(seed: number): Promise<boolean> {
  const plan = cutDown(planOf(seed, options))
  const outcome = await runPlan(plan, bugs)
  const kinds = Object.keys(outcome.findings)
  const command = commandOf(plan, options, bugs)
  if (values.json) {
    const { findings, story, turns, done } = outcome
    console.log(JSON.stringify({ seed, ok: outcome.ok, findings, story, turns, done, command }))
    return outcome.ok
  }
  say(printOutcome(outcome))
  say(`seed ${seed}: ${outcome.ok ? 'all well' : kinds.map(words).join(', ')} · ${plan.steps.length} steps`)
  if (!outcome.ok && values.only === undefined) await explain(seed)
  return outcome.ok
}

async function many(): Promise<boolean> {
  const [count, first, jobs] = [numberOf('seeds')!, numberOf('first')!, numberOf('jobs')!]
  const { failed, seeds, seconds, turns, sent } = await runMany(
    { first, count, jobs, options, bugs },
    (done, after) => {
      if (done % 100 === 0 && !values.json) {
        console.error(`simulate: ${done} of ${count} · ${(done / after).toFixed(0)} a second`)
      }
    },
  )
  if (values.json) {
    console.log(
      JSON.stringify({ ok: !failed, seeds, seconds, perSecond: seeds / seconds, turns, sent, failed }),
    )
    return !failed
  }
  const places = `${turns.toLocaleString('en')} places where another order was possible`
  say(
    `${seeds} ${seeds === 1 ? 'world' : 'worlds'} in ${seconds.toFixed(1)} s, ${(seeds / seconds).toFixed(1)} a second · ${sent.toLocaleString('en')} messages · ${places}`,
  )
  if (!failed) {
    say('lost 0 · doubled 0 · out of order 0 · ghosts 0')
    return true
  }
  say(`seed ${failed.seed}: ${failed.error ?? failed.kinds.map(words).join(', ')}`)
  if (failed.error === undefined) await explain(failed.seed)
  else say(`again: ${commandOf(planOf(failed.seed, options), options, bugs)}`)
  return false
}

async function explain(seed: number): Promise<void> {
  const { plan, outcome, tried } = await shortest(seed, options, bugs, withinMs)
  const of = planOf(seed, options).steps.length
  say(`\nThe shortest history found, ${plan.steps.length} of ${of} steps, after ${tried} others:\n`)
  for (const bug of bugs) say(`  (bug ${bug}: ${knownBugs[bug].what})`)
  say(printOutcome(outcome))
  say(`\nagain: ${commandOf(plan, options, bugs)}`)
}

function cutDown(plan: Plan): Plan {
  const setup = { ...plan.setup }
  for (const part of parts) setup[part] = numberOf(part) ?? setup[part]
  const named = values.only === 'none' ? '' : values.only
  const names = named === undefined ? undefined : new Set(named.split(',').map(Number))
  return {
    ...plan,
    setup,
    order: numberOf('order') ?? plan.order,
    steps: names ? only(plan.steps, names) : plan.steps,
  }
}

function numberOf(name: Exclude<keyof typeof values, 'json' | 'help' | 'bugs' | 'only'>): number | undefined {
  const given = values[name]
  if (given === undefined) return undefined
  if (!/^\d{1,9}$/.test(given)) refuse(`--${name} is a whole number`)
  return Number(given)
}

function refuse(why: string): never {
  console.error(`simulate: ${why} (--help says what there is)`)
  process.exit(2)
}
