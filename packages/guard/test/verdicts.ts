/** What a guard says, and waiting for what it hears, for its tests. */
import type { Guard } from '../src/create-guard.js'

/** The reason of a refusal, or that the token was let through. */
export const reasonOf = async (guard: Guard, token: string, needed: readonly string[] = ['documents:read']) => {
  const verdict = await guard.check(`Bearer ${token}`, needed)
  return verdict.ok ? 'let through' : verdict.error.reason
}

export async function eventually(condition: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('it never came true')
}
