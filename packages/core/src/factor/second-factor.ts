/**
 * A second factor of our own: what kinds there are, when it is asked for, and what it may prove. docs/adr/0034
 *
 * It is for companies whose IdP cannot prove more than one factor. It never stands for the sign-in at the IdP, only beside it.
 */
import { z } from 'zod'
import type { OwnFactorProof } from '../identity/normalized-identity.js'
import { addSeconds, type Instant, secondsBetween } from '../instant.js'
import type { AuthorizationRequestId, ConnectionId, FactorVisitId, SubjectId } from '../tenant/ids.js'
import { tenantLimits } from '../tenant/tenant-limits.js'
import type { FactorRefusal } from './error.js'

export const factorKinds = ['passkey', 'totp'] as const
export type FactorKind = (typeof factorKinds)[number]

/**
 * Names of what each proves. A passkey shows possession of a key with the person verified beside it; a code of an authenticator app is one
 * more category and can be phished. No authenticator is asked who made it, so none is called hardware.
 *
 * @spec RFC 8176 §2
 */
export const methodsOfKind: Readonly<Record<FactorKind, readonly string[]>> = { passkey: ['pop', 'user'], totp: ['otp'] }

/** What proving a factor of this kind at that moment would add to a login. */
export const proofBy = (kind: FactorKind, provedAt: Instant): OwnFactorProof => ({ methods: methodsOfKind[kind], provedAt })

/** What allowed a factor to be enrolled: a code from the tenant's admin, several factors at the IdP, or another factor. security.md §18 */
export const enrolmentProofs = ['code', 'idp', 'factor'] as const
export type EnrolmentProof = (typeof enrolmentProofs)[number]

/** In a mail, and on the page of one's own factors. */
export const kindWords: Readonly<Record<FactorKind, string>> = { passkey: 'a passkey', totp: 'an authenticator app' }
export const proofWords: Readonly<Record<EnrolmentProof, string>> = {
  code: 'a code of an admin',
  idp: 'several factors at the identity provider',
  factor: 'another factor',
}

export const factorLimits = {
  /** Of one person. */
  factors: 10,
  /** How long a code from the admin may be used. */
  codeSeconds: 24 * 3600,
  /** Made for one person within a day, used or not. */
  codesPerDay: 5,
  /** From the page that shows a passkey's challenge to its answer. */
  challengeSeconds: 300,
  /** For one person and one kind, in a row without success: then an admin has to reset. NIST SP 800-63B §3.2.2 allows a hundred. */
  guesses: 20,
  /** From the sign-in to the end of a look at one's own factors. */
  visitSeconds: 900,
  /** In it, from a factor that was shown to what that still permits. */
  visitProofSeconds: 300,
  /** A factor that is younger takes none away that is older: whoever was told of it has time to say that it is not hers. */
  newcomerSeconds: 24 * 3600,
} as const

/** Eighty bits: who reads their hash finds no code within its time. */
export const enrolmentCodeLength = 16

/** After a reset nothing of tier `admin` is granted for so long: the person, who was told, has time to say that it was not she. */
export const privilegedDelaySeconds = 24 * 3600

export const privilegedFrom = (resetAt: Instant | undefined): Instant | undefined =>
  resetAt === undefined ? undefined : addSeconds(resetAt, privilegedDelaySeconds)

/** Seconds to wait after the n-th wrong guess in a row; after the last one there is no further guess. */
export const guessPauses: readonly number[] = Array.from({ length: factorLimits.guesses }, (_, n) =>
  n < 4 ? 0 : Math.min(3600, 30 * 2 ** (n - 4)),
)

/** `off`: nothing of ours is asked. `on`: where the IdP was asked and has not proved enough. `where_unproven`: only at connections that cannot. */
export const secondFactorModes = ['off', 'on', 'where_unproven'] as const
export type SecondFactorMode = (typeof secondFactorModes)[number]

export const secondFactorShape = z.strictObject({
  mode: z
    .enum(secondFactorModes)
    .describe('off; on: where the IdP was asked for a second factor and has not proved it; where_unproven: only at the connections listed'),
  cannotProve: z
    .array(z.uuid())
    .max(tenantLimits.connections)
    .default([])
    .describe('Connections whose IdP cannot prove a second factor: it is not asked for one, ours is'),
})
export type SecondFactorSetting = {
  readonly mode: SecondFactorMode
  readonly cannotProve: readonly string[]
}
export const noSecondFactor: SecondFactorSetting = { mode: 'off', cannotProve: [] }

/** Whatever the store holds; what is not readable switches nothing on. */
export function secondFactorFromJson(json: unknown): SecondFactorSetting {
  const parsed = secondFactorShape.safeParse(json)
  return parsed.success ? parsed.data : noSecondFactor
}

/** Beside a sign-in at this connection: never; once the IdP has been asked in vain; or without asking the IdP. */
export type OwnFactorTurn = 'never' | 'after_idp' | 'instead_of_idp'

export function turnOfOwnFactor({ mode, cannotProve }: SecondFactorSetting, connection: ConnectionId): OwnFactorTurn {
  if (mode === 'off') return 'never'
  if (cannotProve.includes(connection)) return 'instead_of_idp'
  return mode === 'on' ? 'after_idp' : 'never'
}

/** A factor that a person has. */
export type Factor = {
  readonly id: string
  readonly subjectId: SubjectId
  readonly kind: FactorKind
  readonly name: string
  readonly enrolledBy: EnrolmentProof
  /** The request, or the visit, in which it was enrolled. */
  readonly enrolledIn: AuthorizationRequestId | FactorVisitId
  readonly createdAt: Instant
  readonly usedAt: Instant | undefined
  /** Of a passkey: it works under this RP ID alone. */
  readonly rpId: string | undefined
}

/**
 * Whether a factor may prove anything for a request. In the request that enrolled it only where an admin's code vouched for it: several
 * factors at the IdP, or a weaker factor of ours, must not become a stronger one within one request. security.md §18
 */
export const mayProve = (
  { enrolledBy, enrolledIn }: Pick<Factor, 'enrolledBy' | 'enrolledIn'>,
  place: AuthorizationRequestId | FactorVisitId,
): boolean => enrolledBy === 'code' || enrolledIn !== place

/** What the person is asked next. `challenge`: one of `usable`. `enrol`: by `by`; her `others` are then shown to be hers first. */
export type FactorStep<F> =
  | { readonly kind: 'challenge'; readonly usable: readonly F[] }
  | { readonly kind: 'enrol'; readonly kinds: readonly FactorKind[]; readonly by: EnrolmentProof; readonly others: readonly F[] }

export type FactorSituation<F> = {
  readonly factors: readonly F[]
  readonly requestId: AuthorizationRequestId
  readonly rpId: string
  /** Whether a proof of that kind, now, is all that is missing. */
  readonly helps: (kind: FactorKind) => boolean
  /** Whether the IdP has been asked already, so that nothing but a new factor is left. */
  readonly idpWasAsked: boolean
  /** Whether several factors were proved at the IdP just now. */
  readonly idpProvedSeveral: boolean
}

/** `undefined`: nothing of ours helps, or the IdP is to be asked first. */
export function nextFactorStep<F extends Factor>(situation: FactorSituation<F>): FactorStep<F> | undefined {
  const { factors, requestId, rpId, helps } = situation
  const present = factors.filter((factor) => worksUnder(rpId, factor))
  const usable = present.filter((factor) => helps(factor.kind) && mayProve(factor, requestId))
  if (usable.length > 0) return { kind: 'challenge', usable }
  // What was enrolled in this very request helps the next one; a further one would not help this one either.
  if (!situation.idpWasAsked || factors.some((factor) => factor.enrolledIn === requestId)) return undefined
  const kinds = factorKinds.filter(helps)
  if (kinds.length === 0) return undefined
  const by = factors.length > 0 ? 'factor' : situation.idpProvedSeveral ? 'idp' : 'code'
  return { kind: 'enrol', kinds, by, others: present }
}

/** A passkey works under its RP ID alone. */
export const worksUnder = (rpId: string, factor: Pick<Factor, 'kind' | 'rpId'>): boolean =>
  factor.kind !== 'passkey' || factor.rpId === rpId

export type FactorRemoval = {
  readonly factors: readonly Factor[]
  /** To be taken away. */
  readonly id: string
  /** The factor that she has shown. */
  readonly provedBy: string | undefined
  readonly rpId: string
  readonly now: Instant
}

/**
 * Why a person may not take this factor of hers away; `undefined`: she may. Whoever has learnt her password and one code of her app must not
 * shut her out: a code takes no passkey away, and what was added lately nothing that was there before. The last one that works is the
 * admin's to take: without it the next one would need no proof but a code. docs/adr/0055
 */
export function refuseRemoval({ factors, id, provedBy, rpId, now }: FactorRemoval): FactorRefusal | undefined {
  const factor = factors.find((each) => each.id === id)
  if (factor === undefined) return 'factor_gone'
  const by = factors.find((each) => each.id === provedBy)
  if (by === undefined) return 'factor_not_shown'
  if (!factors.some((each) => each.id !== id && worksUnder(rpId, each))) return 'factor_last'
  if (by.id === id) return undefined
  if (by.kind === 'totp' && factor.kind === 'passkey') return 'factor_too_weak'
  return by.createdAt > factor.createdAt && secondsBetween(by.createdAt, now) < factorLimits.newcomerSeconds
    ? 'factor_too_young'
    : undefined
}
