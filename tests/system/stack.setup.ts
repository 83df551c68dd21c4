import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts, startStack } from '@klatsch/local-stack'
import type { TestProject } from 'vitest/node'

/** The one stack that all tests of this folder share, one file after the other. */
export interface StackUnderTest {
  /** `http://host:port`, the gateway. */
  readonly baseUrl: string
  readonly wsUrl: string
  readonly databaseUrl: string
  readonly brokers: string
  /** Where `run.json` and the logs are. */
  readonly dataDir: string
}

declare module 'vitest' {
  interface ProvidedContext {
    stack: StackUnderTest
  }
}

const wsOf = (baseUrl: string): string => `${baseUrl.replace(/^http/, 'ws')}/ws`

/**
 * A real Kafka, a real Postgres and all services, in a folder of their own; or, with STACK_URL (`http://host:port`), a
 * stack that is up already, and can be reached in no other way.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const baseUrl = process.env.STACK_URL
  if (baseUrl) {
    project.provide('stack', { baseUrl, wsUrl: wsOf(baseUrl), databaseUrl: '', brokers: '', dataDir: '' })
    return async () => {}
  }
  const dataDir = mkdtempSync(join(tmpdir(), 'klatsch-system-'))
  const [port = 0] = await freePorts(1)
  // Servers that others test against are not ours to kill.
  const { KAFKA_BROKERS: _, DATABASE_URL: __, ...env } = process.env
  const stack = await startStack({
    port,
    dataDir,
    env: { ...env, COMMANDS_PER_SECOND: '500', COMMAND_BURST: '5000' },
  })
  project.provide('stack', {
    baseUrl: stack.urls.gateway,
    wsUrl: wsOf(stack.urls.gateway),
    databaseUrl: stack.databaseUrl,
    brokers: stack.brokers,
    dataDir,
  })
  return async () => {
    await stack.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
}
