/**
 * How strongly a person proved who she is, in the eyes of the tenant and in those of the vendor.
 *
 * A tenant may say what the evidence of its own IdPs means. That satisfies the tenant's own demands; the vendor's it satisfies only where the
 * vendor accepted that very rule for the connection. security.md §5
 */
import {
  type AuthenticationStrength,
  authenticationStrength,
  isAtLeast,
  isDefinedClass,
  isDefinedMethod,
  strengthBeside,
  strengthOfOwnFactor,
} from '../identity/authentication-strength.js'
import type { AuthenticationContext } from '../identity/normalized-identity.js'
import type { Instant } from '../instant.js'
import type { PolicyOwner } from './compile-rules.js'
import { type Compiling, report } from './compiling.js'
import type { PolicyDocument } from './document.js'

export type StrengthRule = {
  readonly name: string
  readonly connection: string | undefined
  readonly acr: string | undefined
  readonly amr: readonly string[]
  readonly means: AuthenticationStrength
}

export type StrengthRules = {
  readonly vendor: readonly StrengthRule[]
  readonly tenant: readonly StrengthRule[]
  /** By connection: those of the tenant's that the vendor accepted for it, and that count for its demands too. */
  readonly accepted: ReadonlyMap<string, readonly StrengthRule[]>
}

export const noStrengthRules: StrengthRules = { vendor: [], tenant: [], accepted: new Map() }

/** What the vendor accepts if a tenant says it of this connection: exactly this evidence, exactly this meaning. */
export type AcceptedStrength = { readonly connection: string; readonly said: string; readonly rule: StrengthRule }

/** `acr` is short for rules with a class reference alone. What is defined already keeps its meaning. */
export function compileStrength(document: PolicyDocument, compiling: Compiling): readonly StrengthRule[] {
  for (const acr of Object.keys(document.acr)) if (isDefinedClass(acr)) report(compiling, 'strength_defined', ['acr', acr], acr)
  document.strength.forEach((rule, index) => checkEvidence(rule, ['strength', index], compiling))
  return [
    ...document.strength.map(({ name, connection, acr, amr, means }) => ({ name, connection, acr, amr: amr ?? [], means })),
    ...Object.entries(document.acr).map(([acr, means]) => ({ name: `acr ${acr}`, connection: undefined, acr, amr: [], means })),
  ]
}

type Written = { readonly name?: string; readonly acr?: string | undefined; readonly amr?: readonly string[] | undefined }

function checkEvidence({ name = '', acr, amr = [] }: Written, path: readonly (string | number)[], compiling: Compiling): void {
  if (acr === undefined && amr.length === 0) report(compiling, 'strength_without_evidence', path, name)
  const isDefined = acr === undefined ? amr.length > 0 && amr.every(isDefinedMethod) : isDefinedClass(acr)
  if (isDefined) report(compiling, 'strength_defined', path, name)
}

/**
 * What the wall accepts of its tenants. Earlier versions accepted whatever a connection's tenant said, by the id of the connection alone: what
 * was published so accepts nothing, and is not saved any more.
 */
export const compileAccepted = ({ acceptsStrengthOf }: PolicyDocument, compiling: Compiling): readonly AcceptedStrength[] =>
  acceptsStrengthOf.flatMap((entry, index) => {
    const path = ['acceptsStrengthOf', index]
    if (typeof entry === 'string') {
      if (!compiling.isPublished) report(compiling, 'strength_not_named', path, entry)
      return []
    }
    const { connection, acr, amr = [], means } = entry
    checkEvidence(entry, path, compiling)
    return [{ connection, said: saidBy({ acr, amr, means }), rule: { name: `accepted of ${connection}`, connection, acr, amr, means } }]
  })

/** The evidence and its meaning; methods in any order. */
const saidBy = ({ acr, amr, means }: Pick<StrengthRule, 'acr' | 'amr' | 'means'>): string =>
  JSON.stringify([acr ?? null, [...new Set(amr)].toSorted(), means])

/** Of what the wall accepts: what the tenant says, for this connection or for all of its own. */
export function acceptedOf(
  tenant: readonly StrengthRule[],
  accepted: readonly AcceptedStrength[],
): ReadonlyMap<string, readonly StrengthRule[]> {
  const found = new Map<string, StrengthRule[]>()
  if (tenant.length === 0) return found
  const spoken = new Map<string, Set<string | undefined>>()
  for (const rule of tenant) {
    const said = saidBy(rule)
    spoken.set(said, (spoken.get(said) ?? new Set()).add(rule.connection))
  }
  for (const { connection, said, rule } of accepted) {
    const of = spoken.get(said)
    if (of?.has(undefined) || of?.has(connection)) found.set(connection, [...(found.get(connection) ?? []), rule])
  }
  return found
}

/** What somebody has proved, and when all of it was: a demand is met by one of these, never by the strength of one and the time of another. */
export type Evidence = {
  readonly strength: AuthenticationStrength
  /** Of the oldest part. Absent: the IdP did not say when she signed in. */
  readonly at: Instant | undefined
}

/** The IdP's alone; a factor of ours alone; both together. What a rule says of evidence, it says of the IdP's. */
export function evidenceFor(
  owner: PolicyOwner,
  rules: StrengthRules,
  authentication: AuthenticationContext,
  connection: string,
): readonly Evidence[] {
  const { ownFactor: own, authenticatedAt } = authentication
  const byIdp: Evidence = { strength: strengthFor(owner, rules, authentication, connection), at: authenticatedAt }
  if (own === undefined) return [byIdp]
  const oldest = authenticatedAt === undefined || authenticatedAt < own.provedAt ? authenticatedAt : own.provedAt
  return [byIdp, { strength: strengthOfOwnFactor(own), at: own.provedAt }, { strength: strengthBeside(authentication, own), at: oldest }]
}

/** What the IdP alone proved. */
export function strengthFor(
  owner: PolicyOwner,
  rules: StrengthRules,
  authentication: AuthenticationContext,
  connection: string,
): AuthenticationStrength {
  const proven = authenticationStrength(authentication)
  const applying = [...rules.vendor, ...(owner === 'tenant' ? rules.tenant : (rules.accepted.get(connection) ?? []))]
  return strongest([proven, ...applying.filter((rule) => isShown(rule, authentication, connection)).map(({ means }) => means)])
}

/** The strongest that anything of it proves. */
export const strengthOf = (evidence: readonly Evidence[]): AuthenticationStrength => strongest(evidence.map(({ strength }) => strength))

const strongest = (strengths: readonly AuthenticationStrength[]): AuthenticationStrength =>
  strengths.reduce<AuthenticationStrength>((best, strength) => (isAtLeast(best, strength) ? best : strength), 'unknown')

function isShown(rule: StrengthRule, { acr, amr }: AuthenticationContext, connection: string): boolean {
  if (rule.connection !== undefined && rule.connection !== connection) return false
  return (rule.acr === undefined || rule.acr === acr) && rule.amr.every((method) => amr.includes(method))
}
