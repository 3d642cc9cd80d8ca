/**
 * Which of a tenant's connections a person is sent to, by the address that she or the application gives.
 *
 * The address proves nothing. Without a rule on groups nothing is looked up but what this tenant has configured, so the answer is the same, and
 * takes the same time, whether anybody of that name exists. A rule on groups names groups and can only ask whether she is known to be in
 * one: an address that nobody has, and one whose person is in none, look alike. That she is in one shows; a tenant accepts that in writing
 * (`revealsGroups`, docs/adr/0027). Being sent somewhere is no right: who comes back is judged as if she had gone there by herself.
 */
import { z } from 'zod'
import { type EmailAddress, parseEmailAddress, type TenantDomain } from '../identity/email-address.js'
import { type Condition, type ConditionCompiler, hintConditionCompiler } from '../policy/cel.js'
import { policyErrors, policyLimits } from '../policy/error.js'
import { err, ok, type Result } from '../result.js'
import { type AddressGroups, unknownGroups } from './groups-of-address.js'

export const connectionChoiceLimits = { rules: 50, groupsOfRule: 20, groupLength: 256 } as const

export const choiceRuleShape = z.strictObject({
  when: z.string().min(1).max(2_000).optional().describe('CEL on hint and domain; absent: any address'),
  groups: z
    .array(z.string().min(1).max(connectionChoiceLimits.groupLength))
    .min(1)
    .max(connectionChoiceLimits.groupsOfRule)
    .optional()
    .describe('… whose person is known to be in one of these; needs revealsGroups'),
  connectionId: z.uuid(),
})

export const connectionChoiceShape = z.strictObject({
  rules: z.array(choiceRuleShape).max(connectionChoiceLimits.rules).default([]).describe('The first that holds chooses, before domains do'),
  fallbackConnectionId: z.uuid().nullable().default(null).describe('Where an address goes that nothing else decides; null: the oldest'),
  revealsGroups: z
    .boolean()
    .default(false)
    .describe('Accepts that whoever types an address of this company sees where the groups of its person lead'),
})
export type ConnectionChoiceJson = z.output<typeof connectionChoiceShape>

type ChoiceRule = {
  readonly when: Condition | undefined
  readonly groups: readonly string[] | undefined
  readonly connectionId: string
}
export type ConnectionChoice = { readonly rules: readonly ChoiceRule[]; readonly fallbackConnectionId: string | undefined }
export const noConnectionChoice: ConnectionChoice = { rules: [], fallbackConnectionId: undefined }

export type ChoiceMistake = { readonly path: string; readonly mistake: { readonly reason: string; readonly say: string } }

export function compileConnectionChoice(json: ConnectionChoiceJson): Result<ConnectionChoice, readonly ChoiceMistake[]> {
  const compile = hintConditionCompiler()
  const compiled = json.rules.map((each, index) => compileRule(compile, each, index))
  const cost = compiled.reduce((sum, each) => sum + (each.ok ? (each.value.when?.cost ?? 0) : 0), 0)
  const revealed = json.revealsGroups ? -1 : json.rules.findIndex(({ groups }) => groups !== undefined)
  const mistakes = [
    ...compiled.flatMap((each) => (each.ok ? [] : [each.error])),
    ...(revealed < 0 ? [] : [unaccepted(revealed)]),
    ...(cost > policyLimits.policyCost ? [tooCostly] : []),
  ]
  if (mistakes.length > 0) return err(mistakes)
  const rules = compiled.flatMap((each) => (each.ok ? [each.value] : []))
  return ok({ rules, fallbackConnectionId: json.fallbackConnectionId ?? undefined })
}

function compileRule(
  compile: ConditionCompiler,
  { when, groups, connectionId }: ConnectionChoiceJson['rules'][number],
  index: number,
): Result<ChoiceRule, ChoiceMistake> {
  if (when === undefined && groups === undefined)
    return err({ path: `rules.${index}`, mistake: { reason: 'rule_empty', say: 'a rule needs a condition, groups, or both' } })
  const condition = when === undefined ? ok(undefined) : compile(when)
  return condition.ok ? ok({ when: condition.value, groups, connectionId }) : err({ path: `rules.${index}.when`, mistake: condition.error })
}

const tooCostly: ChoiceMistake = { path: 'rules', mistake: { reason: 'policy_too_costly', say: policyErrors.policy_too_costly.say } }

const unaccepted = (index: number): ChoiceMistake => ({
  path: `rules.${index}.groups`,
  mistake: {
    reason: 'groups_unaccepted',
    say: 'whoever types an address of your company would see where the groups of its person lead: accept that with revealsGroups',
  },
})

/** Whatever the store holds; what is not readable chooses nothing. */
export function connectionChoiceFromJson(json: unknown): ConnectionChoice {
  const parsed = connectionChoiceShape.safeParse(json)
  const compiled = parsed.success ? compileConnectionChoice(parsed.data) : undefined
  return compiled?.ok ? compiled.value : noConnectionChoice
}

type Configured = { readonly choice: ConnectionChoice; readonly domains: readonly TenantDomain[] }
type Connections<C> = readonly (C & { readonly id: string })[]

/**
 * The address whose groups have to be looked up, before anything is chosen by it. `undefined`: no rule on groups is in its way, or its domain is
 * not proven; both say nothing of who has it.
 */
export function addressToLookUp<C>(
  { choice, domains }: Configured,
  usable: Connections<C>,
  hint: string | undefined,
): EmailAddress | undefined {
  const address = hint === undefined ? undefined : parseEmailAddress(hint)
  if (!address || !domains.some(({ verified, domain }) => verified && domain === address.domain)) return undefined
  const first = choice.rules.find((each) => isUsable(each, usable) && isWhen(each, address))
  return first?.groups === undefined ? undefined : address
}

/** The connection that a rule or a proven domain names for this address. `undefined`: neither does, or it is no address. */
export function connectionOfAddress<C>(
  { choice, domains }: Configured,
  usable: Connections<C>,
  hint: string | undefined,
  groups: AddressGroups = unknownGroups,
): (C & { readonly id: string }) | undefined {
  const address = hint === undefined ? undefined : parseEmailAddress(hint)
  return address && (byRule(choice, usable, address, groups) ?? byDomain(domains, usable, address))
}

const isUsable = <C>({ connectionId }: ChoiceRule, usable: Connections<C>): boolean => usable.some(({ id }) => id === connectionId)
/** A condition that is unclear does not hold: it chooses nothing, and the next one is asked. */
const isWhen = ({ when }: ChoiceRule, { key, domain }: EmailAddress): boolean =>
  when === undefined || when.evaluate({ hint: key, domain }) === true
/** Unknown groups are no groups here, as far as choosing goes: a rule asks for membership and never for its absence. */
const isMember = ({ groups: wanted }: ChoiceRule, groups: AddressGroups): boolean =>
  wanted === undefined || (groups.state === 'known' && wanted.some((group) => groups.value.includes(group)))

const byRule = <C>({ rules }: ConnectionChoice, usable: Connections<C>, address: EmailAddress, groups: AddressGroups) => {
  const chosen = rules.find((each) => isUsable(each, usable) && isWhen(each, address) && isMember(each, groups))
  return usable.find(({ id }) => id === chosen?.connectionId)
}

const byDomain = <C>(domains: readonly TenantDomain[], usable: Connections<C>, { domain }: EmailAddress) => {
  const own = domains.find((candidate) => candidate.verified && candidate.domain === domain)
  return usable.find(({ id }) => id === own?.connectionId)
}

/** Where the page of choice sends a well-formed address: always somewhere, so that it does not tell which addresses are known. */
export const connectionOfAnyAddress = <C>(
  configured: Configured,
  usable: Connections<C>,
  hint: string,
  groups: AddressGroups = unknownGroups,
): (C & { readonly id: string }) | undefined =>
  connectionOfAddress(configured, usable, hint, groups) ??
  (parseEmailAddress(hint) && (usable.find(({ id }) => id === configured.choice.fallbackConnectionId) ?? usable[0]))
