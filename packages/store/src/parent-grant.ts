/**
 * The grant behind a token that a client brings to an exchange, which the statement calls `parent`: what the token and the decision on it are held
 * against, before another grant is opened from it or a word is signed about its person.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { Epochs } from '@drawbridge/core/revocation/epochs'
import type { Scope } from '@drawbridge/core/tenant/ids'
import { directorySays } from './directory.js'
import type { GrantStateRow } from './grants.js'
import type { PersonRow } from './redecision.js'
import { toTimestamp } from './transaction.js'

export type ParentGrant = GrantStateRow &
  PersonRow & { readonly claims_now: number; readonly directory_now: number; readonly expires_at: Instant }

/** What policy decided on the grant, of what, and what it was decided on. */
export type DecidedOnParent = {
  readonly configurationVersion: number
  readonly grantEpoch: number
  readonly claimsVersion: number
  readonly directoryVersion: number
  readonly factorsResetAt: Instant | undefined
  readonly scopes: readonly Scope[]
  /** For the audit trail. Holds no claim values. */
  readonly detail: Readonly<Record<string, unknown>>
}

/** What a decision that is made on this row, under this version of the configuration, says that it was made on. */
export const groundOf = (configurationVersion: number, grant: ParentGrant): Omit<DecidedOnParent, 'scopes' | 'detail'> => ({
  configurationVersion,
  grantEpoch: grant.grant_epoch,
  claimsVersion: grant.claims_now,
  directoryVersion: grant.directory_now,
  factorsResetAt: grant.factors_reset_at ?? undefined,
})

/** Condition: the token is below the barrier of its grant. Its epochs are five parameters, the first of them `$first`; without epochs it is never. */
export const isBelowParent = (first: number): string =>
  ['tenant_now', 'client_now', 'connection_now', 'subject_now', 'grant_epoch']
    .map((present, at) => `$${first + at}::int < parent.${present}`)
    .join(' OR ')

export const epochParameters = (epochs: Epochs | undefined): readonly unknown[] =>
  [epochs?.tenant, epochs?.client, epochs?.connection, epochs?.subject, epochs?.grant].map((epoch) => epoch ?? null)

/** Condition: nothing was decided yet, or on something that is no longer so. The ground of the decision is five parameters, the first of them `$first`. */
export const isDecidedOnOther = (first: number): string =>
  `parent.unsettled OR $${first}::int IS DISTINCT FROM parent.configuration_version OR $${first + 1}::int <> parent.grant_epoch
        OR $${first + 2}::int <> parent.claims_now OR $${first + 3}::int <> parent.directory_now OR parent.factors_reset_at IS DISTINCT FROM $${first + 4}`

export const groundParameters = (decided: DecidedOnParent | undefined): readonly unknown[] => [
  decided?.configurationVersion ?? null,
  decided?.grantEpoch ?? null,
  decided?.claimsVersion ?? null,
  decided?.directoryVersion ?? null,
  decided?.factorsResetAt === undefined ? null : toTimestamp(decided.factorsResetAt),
]

/** Columns: of its person what policy needs, told where it has to decide; what is known of her, also where `isTold` holds. */
export const personOfParent = (isTold = `outcome.verdict = 'decide_again'`): string =>
  `CASE WHEN ${isTold} THEN (SELECT claims FROM subjects WHERE tenant_id = $1 AND id = parent.subject_id) END AS subject_claims,
    CASE WHEN ${isTold} THEN (SELECT ${directorySays({ connection: 'p.connection_id', user: 'p.scim_user_id' })}
      FROM subjects p WHERE p.tenant_id = $1 AND p.id = parent.subject_id) END AS directory_says,
    CASE WHEN outcome.verdict = 'decide_again'
      THEN (SELECT created_at FROM browser_sessions WHERE tenant_id = $1 AND id = parent.session_id) END AS session_started_at`
