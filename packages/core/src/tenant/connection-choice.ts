/**
 * Which of a tenant's connections a person is sent to, by the address that she or the application gives.
 *
 * The address proves nothing and nothing is looked up but what this tenant has configured, so the answer is the same, and takes the same
 * time, whether anybody of that name exists. Being sent somewhere is no right: who comes back is judged as if she had gone there by herself.
 */
import { z } from 'zod'
import { type EmailAddress, parseEmailAddress, type TenantDomain } from '../identity/email-address.js'
import { type Condition, type ConditionCompiler, type ExpressionMistake, hintConditionCompiler } from '../policy/cel.js'
import { err, ok, type Result } from '../result.js'

export const connectionChoiceLimits = { rules: 50 } as const

export const connectionChoiceShape = z.strictObject({
  rules: z
    .array(z.strictObject({ when: z.string().min(1).max(2_000), connectionId: z.uuid() }))
    .max(connectionChoiceLimits.rules)
    .default([])
    .describe('The first whose CEL condition on hint and domain holds chooses, before domains do'),
  fallbackConnectionId: z.uuid().nullable().default(null).describe('Where an address goes that nothing else decides; null: the oldest'),
})
export type ConnectionChoiceJson = z.output<typeof connectionChoiceShape>

export type ConnectionChoice = {
  readonly rules: readonly { readonly when: Condition; readonly connectionId: string }[]
  readonly fallbackConnectionId: string | undefined
}
export const noConnectionChoice: ConnectionChoice = { rules: [], fallbackConnectionId: undefined }

export type ChoiceMistake = { readonly path: string; readonly mistake: ExpressionMistake }

export function compileConnectionChoice(json: ConnectionChoiceJson): Result<ConnectionChoice, readonly ChoiceMistake[]> {
  const compile: ConditionCompiler = hintConditionCompiler()
  const compiled = json.rules.map(({ when, connectionId }) => ({ connectionId, when: compile(when) }))
  const mistakes = compiled.flatMap(({ when }, index) => (when.ok ? [] : [{ path: `rules.${index}.when`, mistake: when.error }]))
  if (mistakes.length > 0) return err(mistakes)
  const rules = compiled.flatMap(({ when, connectionId }) => (when.ok ? [{ when: when.value, connectionId }] : []))
  return ok({ rules, fallbackConnectionId: json.fallbackConnectionId ?? undefined })
}

/** Whatever the store holds; what is not readable chooses nothing. */
export function connectionChoiceFromJson(json: unknown): ConnectionChoice {
  const parsed = connectionChoiceShape.safeParse(json)
  const compiled = parsed.success ? compileConnectionChoice(parsed.data) : undefined
  return compiled?.ok ? compiled.value : noConnectionChoice
}

type Configured = { readonly choice: ConnectionChoice; readonly domains: readonly TenantDomain[] }

/** The connection that a rule or a proven domain names for this address. `undefined`: neither does, or it is no address. */
export function connectionOfAddress<C extends { readonly id: string }>(
  { choice, domains }: Configured,
  usable: readonly C[],
  hint: string | undefined,
): C | undefined {
  const address = hint === undefined ? undefined : parseEmailAddress(hint)
  return address && (byRule(choice, usable, address) ?? byDomain(domains, usable, address))
}

const byRule = <C extends { readonly id: string }>({ rules }: ConnectionChoice, usable: readonly C[], { key, domain }: EmailAddress) => {
  // A condition that is unclear does not hold: it chooses nothing, and the next one is asked.
  const rule = rules.find(
    ({ when, connectionId }) => usable.some(({ id }) => id === connectionId) && when.evaluate({ hint: key, domain }) === true,
  )
  return usable.find(({ id }) => id === rule?.connectionId)
}

const byDomain = <C extends { readonly id: string }>(domains: readonly TenantDomain[], usable: readonly C[], { domain }: EmailAddress) => {
  const own = domains.find((candidate) => candidate.verified && candidate.domain === domain)
  return usable.find(({ id }) => id === own?.connectionId)
}

/** Where the page of choice sends a well-formed address: always somewhere, so that it does not tell which addresses are known. */
export const connectionOfAnyAddress = <C extends { readonly id: string }>(
  configured: Configured,
  usable: readonly C[],
  hint: string,
): C | undefined =>
  connectionOfAddress(configured, usable, hint) ??
  (parseEmailAddress(hint) && (usable.find(({ id }) => id === configured.choice.fallbackConnectionId) ?? usable[0]))
