import { config } from 'zod'

// Zod tries whether it may make code from strings; the page's security policy forbids it and would report each try.
// Must be imported before anything that makes a schema.
config({ jitless: true })
