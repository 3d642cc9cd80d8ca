/** What is known, at this moment, of the person behind a grant: for the client that holds an access token of it. */
import type { Instant } from '@drawbridge/core/instant'
import type { IdentityScope } from '@drawbridge/core/oauth/scope'
import type { Epochs } from '@drawbridge/core/revocation/epochs'
import type { IssuerId, SubjectId, TenantId } from '@drawbridge/core/tenant/ids'
import { directorySays } from './directory.js'
import { epochsOf, type GrantBarrierRow, grantBarrierColumns, grantStateJoins, type KnownOfPerson } from './grants.js'
import { type HotDb, hotStatement, toTimestamp } from './transaction.js'

const statement = hotStatement({
  name: 'userinfo_of_grant',
  tenantParameter: 1,
  text: `SELECT ${grantBarrierColumns}, g.audience, g.client_id, g.subject_id, g.identity_scopes, cl.sector_identifier, s.claims AS subject_claims,
      CASE WHEN s.id IS NOT NULL THEN ${directorySays({ connection: 's.connection_id', user: 's.scim_user_id' })} END AS directory_says
    FROM grants g ${grantStateJoins} WHERE g.tenant_id = $1 AND g.id = $3 AND g.issuer_id = $4`,
})

type Row = GrantBarrierRow & {
  readonly audience: string
  readonly client_id: string
  readonly subject_id: SubjectId | null
  readonly identity_scopes: readonly IdentityScope[]
  readonly sector_identifier: string | null
  readonly subject_claims: unknown
  readonly directory_says: unknown
}

export type PersonBehind = KnownOfPerson & {
  readonly audience: string
  readonly clientId: string
  /** `undefined`: a client in its own name. */
  readonly subjectId: SubjectId | undefined
  readonly identityScopes: readonly IdentityScope[]
  /** Of the client: by its `sub` the person is told. */
  readonly sectorIdentifier: string | undefined
  readonly epochs: Epochs
  readonly configurationVersion: number
  /** It is to be settled before anything is said of it. */
  readonly unsettled: boolean
}
export type AskedOfGrant = { readonly tenantId: TenantId; readonly issuerId: IssuerId; readonly grantId: string; readonly now: Instant }

/** `undefined`: no living grant of this issuer. Reads only. */
export async function findPersonBehind(hot: HotDb, asked: AskedOfGrant): Promise<PersonBehind | undefined> {
  const { rows } = await hot.query<Row>(statement, [asked.tenantId, toTimestamp(asked.now), asked.grantId, asked.issuerId])
  const row = rows[0]
  if (row === undefined || row.grant_refusal !== null) return undefined
  return {
    ...{ audience: row.audience, clientId: row.client_id, subjectId: row.subject_id ?? undefined, identityScopes: row.identity_scopes },
    sectorIdentifier: row.sector_identifier ?? undefined,
    ...{ claims: row.subject_claims, directorySays: row.directory_says, epochs: epochsOf(row) },
    ...{ configurationVersion: row.configuration_version, unsettled: row.unsettled },
  }
}
