import { z } from 'zod'

/** Postgres cannot store U+0000 in text, and a lone surrogate has no UTF-8 form and no canonical JSON. */
const storable = (text: string): boolean => !text.includes('\u0000') && text.isWellFormed()

/** Text of 1 to `max` UTF-16 units that every part of the system can carry unchanged. */
export const textSchema = (max: number) =>
  z.string().min(1).max(max).refine(storable, 'must not contain U+0000 or lone surrogates')

/** One line for people to read: no control characters, not blank, no space around it. */
export const lineSchema = (max: number) =>
  textSchema(max)
    .refine((line) => !/\p{Cc}/u.test(line), 'must be one line without control characters')
    .refine((line) => line.trim() === line, 'must not begin or end with a space')
