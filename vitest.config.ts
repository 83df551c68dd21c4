import { defineConfig } from 'vitest/config'

const ignored = ['**/node_modules/**', '**/dist/**', '**/.klatsch/**']
const unit = [
  '{packages,services,infra}/**/src/**/*.test.ts',
  'frontend/src/**/*.test.{ts,tsx}',
  'bench/src/**/*.test.ts',
]
const int = ['{packages,services,infra}/**/*.int.test.ts']
const system = ['tests/**/*.test.ts']
const stack = ['tests/system/**/*.test.ts']
const containers = ['tests/compose/**/*.test.ts']
const separate = ['tests/{page,simulation,structure}/**/*.test.ts']
/** Vitest runs projects side by side when they are of one group and of one number of workers, and begins in the order of their names. */
const besideContainers = { maxWorkers: 3, sequence: { groupOrder: 1 } }

/**
 * Six kinds of tests. Side by side: `containers`, one file, which waits more than it works; `int`, each file with a
 * database and topics of its own on the one Kafka and the one Postgres that tests/run.ts started; `separate`, which need
 * nothing of others and look at no clock; `unit`, pure and fast. Then `system`, whole stacks, one file after the
 * other, since two stacks at once on two cores would be measuring each other; `stack`, against one stack started for all
 * of them.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: unit,
          exclude: [...ignored, ...int],
          testTimeout: 20_000,
          ...besideContainers,
        },
      },
      {
        test: {
          name: 'int',
          include: int,
          exclude: ignored,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          ...besideContainers,
        },
      },
      {
        test: {
          name: 'containers',
          include: containers,
          exclude: ignored,
          testTimeout: 60_000,
          ...besideContainers,
        },
      },
      {
        test: {
          name: 'separate',
          include: separate,
          exclude: ignored,
          testTimeout: 300_000,
          hookTimeout: 120_000,
          ...besideContainers,
        },
      },
      {
        test: {
          name: 'system',
          include: system,
          exclude: [...ignored, ...stack, ...containers, ...separate],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'stack',
          include: stack,
          exclude: ignored,
          globalSetup: 'tests/system/stack.setup.ts',
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
