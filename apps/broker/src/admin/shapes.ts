/** Shapes that many answers of the admin API share. */
import { type Instant, instant } from '@drawbridge/core/instant'
import { z } from 'zod'

/** ISO 8601 in UTC, as every time in this API. */
export const time = z.iso.datetime()
export const timeOrNull = time.nullable()
export const id = z.uuid()

export const toIso = (at: Instant): string => new Date(at).toISOString()
export const toIsoOrNull = (at: Instant | null | undefined): string | null => (at == null ? null : toIso(at))
export const fromIso = (text: string): Instant => instant(Date.parse(text))
