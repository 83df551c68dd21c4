import type { Bug } from '@klatsch/contracts'
import type { Kind } from './verdict.ts'

/** What the simulation finds of each deliberate bug: one of these, at least. */
export const signs: Readonly<Record<Bug, readonly Kind[]>> = {
  'dedupe-off': ['doubled'],
  'offset-before-commit': ['undecided', 'disagreements'],
  'publish-before-commit': ['divergent', 'phantom'],
  'sweep-off': ['unpublished'],
  'key-order-off': ['misordered'],
  'two-sends-in-flight': ['unpublished', 'undecided', 'misordered'],
  'replies-astray': ['unsettled'],
  'gap-fill-off': ['gaps'],
  'ack-before-commit': ['misplaced'],
  'resume-skips-one': ['gaps'],
  'lagging-drops': ['gaps'],
  'lease-off': ['ghosts', 'presenceEnd'],
  'lease-without-fencing': ['risen'],
  'grace-off': ['falseOffline'],
  'settle-at-once': ['falseOffline'],
  'rebuild-forgets-ended': ['falseOffline'],
  'new-id-on-retry': ['phantom'],
}
