/**
 * What policy takes from a client that acts in its own name, without any person.
 *
 * Rules about people grant it nothing and deny it nothing. What speaks of nobody (who the client is, what time it is, from where it asks)
 * binds it as it binds everybody: denies, rules for clients, and the limits of tiers. So does a deny that holds whoever the person would be.
 * Nothing of a person is known here, not even that she has no groups: a rule for clients that asks for it is unclear, and so it limits.
 */
import type { NormalizedIdentity } from '../identity/normalized-identity.js'
import type { Scope } from '../tenant/ids.js'
import type { CompiledPolicy } from './compile.js'
import type { CompiledRule } from './compile-rules.js'
import type { Ceiling, SensitivityTier } from './decision.js'
import { beginEvaluating } from './evaluating.js'
import type { PolicyInput } from './input.js'
import { ceilingsOf, leastOf } from './lifetime.js'

export type ClientAlone = Pick<PolicyInput, 'client' | 'resource' | 'now'> & {
  readonly address?: string | undefined
  readonly country?: string | undefined
  /** What an admin gave it. */
  readonly scopes: readonly { readonly name: Scope; readonly tier: SensitivityTier }[]
}

const nobody = {
  stableId: '',
  subjectId: undefined,
  claims: new Map(),
  groups: { state: 'unknown' },
  authentication: { acr: undefined, amr: [], authenticatedAt: undefined },
  sessionExpiresAt: undefined,
  idpSession: { sessionIndex: undefined, nameId: undefined, sid: undefined, subject: undefined },
} as const satisfies Omit<NormalizedIdentity, 'connectionId'>

const ofPerson = /^(?:subject|claims|groups|auth)\b/
const speaksOfPerson = ({ groups, when }: CompiledRule): boolean =>
  groups !== undefined || when?.reads.some((name) => ofPerson.test(name)) === true

/** The scopes that are left of those that an admin gave it, and how many rules took from them because nobody could judge them. */
export function scopesLeftAlone(
  policy: CompiledPolicy,
  alone: ClientAlone,
): { readonly scopes: ClientAlone['scopes']; readonly unclear: number } {
  const { applies } = beginEvaluating(policy, inputOf(alone), 'nobody')
  const holds = (deny: CompiledRule): boolean => (speaksOfPerson(deny) ? applies(deny) === 'yes' : applies(deny) !== 'no')
  const denies = policy.rules.filter(
    (rule) => rule.effect === 'deny' && (rule.resource === undefined || rule.resource === alone.resource.identifier) && holds(rule),
  )
  const clientRules = policy.clientRules.filter((rule) => applies(rule) !== 'no')
  const scopes = alone.scopes.filter(
    ({ name }) =>
      !denies.some((deny) => deny.scopes.covers(name)) && !clientRules.some((rule) => rule.refuse || rule.scopes?.covers(name) === false),
  )
  return { scopes, unclear: [...denies, ...clientRules].filter((rule) => applies(rule) === 'unclear').length }
}

/** How long its access token for these scopes may live. It has no refresh token. RFC 6749 §4.4.3 */
export function lifetimeAlone(policy: CompiledPolicy, alone: ClientAlone): Ceiling {
  const input = inputOf(alone)
  const { applies } = beginEvaluating(policy, input, 'nobody')
  const clientRules = policy.clientRules.filter((rule) => applies(rule) !== 'no')
  // It authenticates with every request, so nothing that counts from then is over.
  const authentication = { ...nobody.authentication, authenticatedAt: alone.now }
  const present = { ...input, identity: { ...input.identity, authentication } }
  return leastOf(ceilingsOf(policy, present, { tiers: alone.scopes.map(({ tier }) => tier), clientRules })).accessTokenTtl
}

const inputOf = ({ client, resource, scopes, address, country, now }: ClientAlone): PolicyInput => ({
  identity: { ...nobody, connectionId: '' as NormalizedIdentity['connectionId'] },
  client,
  resource,
  request: { scopes: scopes.map(({ name }) => name), stepUpsDone: 0, address, country },
  session: { startedAt: now },
  now,
})
