// node --import: the process gets the stubs instead of service-kit's fault points.
import { registerHooks } from 'node:module'

const stub = new URL('./faults.ts', import.meta.url).href
const replaced = /\/packages\/service-kit\/src\/faults\/(board|records)\.ts$/

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context)
    return replaced.test(found.url) ? { ...found, url: stub } : found
  },
})
