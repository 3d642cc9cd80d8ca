/**
 * Where a person stands who shows a factor of ours or adds one: before the request of a client, or on the page of her own factors.
 *
 * What differs is where a challenge, a proof and a permission rest, and what they die with. How a factor is judged does not differ.
 */
import type { EnrolmentProof, FactorKind } from '@drawbridge/core/factor/second-factor'
import { methodsOfKind } from '@drawbridge/core/factor/second-factor'
import type { NormalizedIdentity } from '@drawbridge/core/identity/normalized-identity'
import type { Instant } from '@drawbridge/core/instant'
import type { AuthorizationRequestId, ClientId, FactorVisitId } from '@drawbridge/core/tenant/ids'
import type { LiveBrowserSession } from '@drawbridge/store/browser-sessions'
import { type AtRound, takeChallenge, takePermit, writeFactorRound } from '@drawbridge/store/factor-rounds'
import { type AtVisit, takeVisitChallenge, visitPermit, writeVisitChallenge, writeVisitProof } from '@drawbridge/store/factor-visits'
import type { StoredFactor } from '@drawbridge/store/factors'
import type { Db } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import type { HttpRequest } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'
import type { SignedIn } from './signed-in.js'

export type FactorPlace = {
  readonly http: HttpRequest
  readonly deps: BrokerDeps
  readonly tenant: ResolvedTenant
  readonly now: Instant
  readonly session: LiveBrowserSession
  readonly identity: NormalizedIdentity
  /** Before the request of this client. */
  readonly clientId: ClientId | undefined
  readonly id: AuthorizationRequestId | FactorVisitId
  readonly kept: KeptThere
}

/** Each belongs to the place, the browser and the session, and is taken once. False: the place is no more. */
export type KeptThere = {
  readonly table: 'factor_rounds' | 'factor_visits'
  readonly takeChallenge: (db: Db) => Promise<Buffer | undefined>
  readonly writeChallenge: (db: Db, challenge: Buffer) => Promise<boolean>
  readonly writeProof: (db: Db, factor: Shown) => Promise<boolean>
  readonly takePermit: (db: Db) => Promise<EnrolmentProof | undefined>
}
/** `thenEnrols`: it also permits another one. */
export type Shown = Pick<StoredFactor, 'id'> & { readonly kind: FactorKind; readonly thenEnrols: boolean }

export const atRound = ({ flow, session }: Pick<SignedIn, 'flow' | 'session'>): AtRound => ({
  requestId: flow.ongoing.id,
  browserHash: flow.browserHash,
  sessionId: session.id,
  now: flow.now,
})

export function placeOfRequest({ flow, session, identity }: Pick<SignedIn, 'flow' | 'session' | 'identity'>): FactorPlace {
  const { http, deps, tenant, now, client, ongoing } = flow
  const at = atRound({ flow, session })
  const kept: KeptThere = {
    table: 'factor_rounds',
    takeChallenge: (db) => takeChallenge(db, tenant.id, at),
    writeChallenge: (db, challenge) => writeFactorRound(db, tenant.id, at, { challenge }),
    writeProof: (db, { id: factorId, kind, thenEnrols }) =>
      writeFactorRound(db, tenant.id, at, {
        proof: { methods: methodsOfKind[kind], factorId },
        permittedBy: thenEnrols ? 'factor' : undefined,
      }),
    takePermit: (db) => takePermit(db, tenant.id, at),
  }
  return { http, deps, tenant, now, session, identity, clientId: client.id, id: ongoing.id, kept }
}

/** There every proof permits what the page offers, for as long as it counts. */
export function placeOfVisit(base: Omit<FactorPlace, 'clientId' | 'id' | 'kept'>, at: AtVisit): FactorPlace {
  const { id: tenant } = base.tenant
  const kept: KeptThere = {
    table: 'factor_visits',
    takeChallenge: (db) => takeVisitChallenge(db, tenant, at),
    writeChallenge: (db, challenge) => writeVisitChallenge(db, tenant, at, challenge),
    writeProof: (db, factor) => writeVisitProof(db, tenant, at, factor.id),
    takePermit: (db) => visitPermit(db, tenant, at),
  }
  return { ...base, clientId: undefined, id: at.id, kept }
}
