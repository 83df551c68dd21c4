import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { freePorts } from './ports.ts'

const RANGE = { from: 20_400, to: 20_440 }

/** Ports that another process takes, of the same few. */
async function takenElsewhere(count: number): Promise<number[]> {
  const script = `
    import { freePorts } from ${JSON.stringify(new URL('ports.ts', import.meta.url).href)}
    console.log(JSON.stringify(await freePorts(${count}, ${JSON.stringify(RANGE)})))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
  return JSON.parse(stdout)
}

test('no port is given twice, by whatever process, and all are free again when it has ended', async () => {
  // 45 in all, of 40.
  await takenElsewhere(15)
  const here = await freePorts(15, RANGE)
  const elsewhere = await takenElsewhere(15)
  expect(new Set([...here, ...elsewhere]).size).toBe(30)
})
