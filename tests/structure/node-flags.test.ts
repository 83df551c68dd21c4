import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { nodeFlags } from '@klatsch/local-stack'
import { expect, test } from 'vitest'
import { root } from './workspace.ts'

test('services are run by Node in the same way in containers as without them', () => {
  const compose = readFileSync(join(root, 'podman-compose.yaml'), 'utf8')
  const commands = [...compose.matchAll(/command: (\["node", .*"services\/(\w+)\/src\/main\.ts"\])/g)]
  expect(commands.map(([, , service]) => service)).toContain('gateway')
  for (const [, command, service] of commands) {
    expect(JSON.parse(command!)).toEqual(['node', ...nodeFlags(service!), `services/${service}/src/main.ts`])
  }
})
