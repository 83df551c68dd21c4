/** For browsers, which have no synchronous SHA-1 of their own. */
export { v5 } from 'uuid'
