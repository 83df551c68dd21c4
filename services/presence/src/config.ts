import { kafkaSettings, labAllowed, labSettings, serviceSettings } from '@klatsch/service-kit'
import { z } from 'zod'

export const configSchema = z
  .object({
    ...serviceSettings,
    ...kafkaSettings,
    ...labSettings,
    // Nobody asks presence anything but Kafka, except the laboratory.
    INTERNAL_TOKEN: serviceSettings.INTERNAL_TOKEN.optional().describe(
      'Secret by which the services know one another; needed with LAB_ENABLED alone.',
    ),
  })
  .superRefine(labAllowed)
  .superRefine(({ LAB_ENABLED, INTERNAL_TOKEN }, context) => {
    if (!LAB_ENABLED || INTERNAL_TOKEN !== undefined) return
    context.addIssue({ code: 'custom', path: ['INTERNAL_TOKEN'], message: 'needed with LAB_ENABLED=true' })
  })
