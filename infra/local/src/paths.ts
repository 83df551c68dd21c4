import { fileURLToPath } from 'node:url'

/** The top of the checkout. */
export const projectRoot = fileURLToPath(new URL('../../..', import.meta.url))
