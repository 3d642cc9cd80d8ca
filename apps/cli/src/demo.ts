/** `drawbridge demo`: not yet. */
import type { Settings } from '@drawbridge/runtime/env'

export async function runDemo(_settings: Settings): Promise<number> {
  throw new Error('"drawbridge demo" is not built yet')
}
