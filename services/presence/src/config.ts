import { kafkaSettings, serviceSettings } from '@klatsch/service-kit'
import { z } from 'zod'

/** Nobody asks presence anything but Kafka, so it has no use for the secret between the services. */
export const configSchema = z.object({ ...serviceSettings, ...kafkaSettings }).omit({ INTERNAL_TOKEN: true })
