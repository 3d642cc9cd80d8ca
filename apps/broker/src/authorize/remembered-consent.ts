/** A yes of an earlier day in place of the question: for the same person, client, resource and redirect URI, and for no more than she said yes to. */
import { createHash } from 'node:crypto'
import type { Client } from '@drawbridge/core/oauth/client'
import { type Consent, consentEndOf, covers, mayBeRemembered } from '@drawbridge/core/oauth/consent'
import { judgedTextsOf } from '@drawbridge/core/oauth/judged-client'
import type { PolicyDecision } from '@drawbridge/core/policy/decision'
import type { ConsentId } from '@drawbridge/core/tenant/ids'
import { findConsent } from '@drawbridge/store/consents'
import type { ConsentToKeep } from '@drawbridge/store/grants'
import { inTenant } from '@drawbridge/store/transaction'
import type { Flow } from './flow.js'
import { decisionSince, type SignedIn } from './signed-in.js'

type Allowed = Extract<PolicyDecision, { kind: 'allow' }>

/** `decision`: with the limits that count from the yes. */
export type RememberedConsent = { readonly consent: Consent; readonly decision: Allowed }

/** Of which a yes is remembered. A yes to a device is of that device alone. */
const rememberedUri = ({ pending }: Flow, decision: Allowed): string | undefined =>
  pending.deviceCodeId === undefined && !decision.asksConsentAnew && mayBeRemembered(pending) ? pending.redirectUri : undefined

/** Of all that an admin would judge of it: docs/adr/0073. */
export const judgedHashOf = (client: Client): Buffer =>
  createHash('sha256')
    .update(JSON.stringify(judgedTextsOf(client)), 'utf8')
    .digest()

/** `undefined`: she is to be asked. */
export async function findRememberedConsent(signedIn: SignedIn, decision: Allowed): Promise<RememberedConsent | undefined> {
  const { flow, session } = signedIn
  const { deps, tenant, client, pending, resource, ongoing } = flow
  const redirectUri = rememberedUri(flow, decision)
  if (redirectUri === undefined || pending.prompt.includes('consent')) return undefined
  const ground = {
    issuerId: tenant.issuer.id,
    subjectId: session.subjectId,
    clientId: client.id,
    resource,
    redirectUri,
    judgedHash: judgedHashOf(client),
    epochs: { ...session.epochs, client: ongoing.clientEpoch },
  }
  const consent = await inTenant(deps.database, tenant.id, (db) => findConsent(db, tenant.id, ground, flow.now))
  if (!consent || !covers(consent, { scopes: decision.scopes, identityScopes: pending.identityScopes })) return undefined
  const since = decisionSince(signedIn, consent.agreedAt)
  return since.kind === 'allow' ? { consent, decision: since } : undefined
}

/** What is kept of a yes that she has just said. */
export function consentToKeep(flow: Flow, decision: Allowed): ConsentToKeep | undefined {
  const expiresAt = rememberedUri(flow, decision) !== undefined ? consentEndOf(decision.tier, flow.now) : undefined
  return expiresAt && { id: flow.deps.random.uuid() as ConsentId, judgedHash: judgedHashOf(flow.client), expiresAt }
}
