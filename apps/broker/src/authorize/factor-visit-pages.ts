/** The pages on which a person sees her own second factors, adds one and takes one away. All but a passkey works without a script. */
import { type FactorRefusal, factorErrors } from '@drawbridge/core/factor/error'
import { factorLimits, proofWords } from '@drawbridge/core/factor/second-factor'
import type { Instant } from '@drawbridge/core/instant'
import type { CredentialHash } from '@drawbridge/core/tenant/ids'
import type { StoredFactor } from '@drawbridge/store/factors'
import type { BrokerDeps } from '../deps.js'
import { type Answer, page } from '../http/answer.js'
import { type Html, html } from '../http/html.js'
import { upstreamTargets } from '../http/leave-for.js'
import { type ResolvedTenant, usableConnections } from '../http/tenant.js'
import {
  actForm,
  type ChallengeOffer,
  challengeForms,
  type EnrolmentOffer,
  enrolmentForms,
  type FormPlace,
  trouble,
} from './factor-forms.js'
import { type Visit, visitLocation } from './factor-visit.js'
import { passkeyScript } from './passkey-script.js'
import { type ProvenStep, stepProof } from './step-proof.js'

export const visitActs = ['passkey', 'totp', 'enrol_passkey', 'enrol_totp', 'remove'] as const
export type VisitAct = (typeof visitActs)[number]

const title = 'Your second factors'

/** A form counts for this act, in this visit of this session, and a removal for the one factor that was shown. */
export const provenAct = ({ id, browserHash, place }: Visit, act: VisitAct, factorId: string | undefined): ProvenStep => ({
  tenant: place.tenant.id,
  request: id,
  browserHash,
  step: 'factor_visit',
  shown: JSON.stringify([place.session.id, act, factorId ?? null]),
})

const formsOf = (visit: Visit, factorId?: string): FormPlace<VisitAct> => ({
  action: visitLocation(visit.place.tenant),
  fields: (act) =>
    html`<input type="hidden" name="visit" value="${visit.id}"><input type="hidden" name="proof" value="${stepProof(visit.place.deps.sealer, provenAct(visit, act, factorId))}">${factorId !== undefined && html`<input type="hidden" name="factor" value="${factorId}">`}`,
})

/** A button that changes nothing: it leads to another view of the visit. */
const leadTo = (visit: Visit, [name, value]: readonly [string, string], label: string, aloud = label): Html =>
  html`<form method="get" action="${visitLocation(visit.place.tenant)}"><input type="hidden" name="visit" value="${visit.id}"><input type="hidden" name="${name}" value="${value}"><button class="quiet" aria-label="${aloud}">${label}</button></form>`

function shown(heading: string, body: Html, refusal?: FactorRefusal): Answer {
  return page(heading, html`${trouble(refusal)}${body}`, {
    headers: { 'cache-control': 'no-store' },
    status: refusal === undefined ? 200 : factorErrors[refusal].status,
    script: passkeyScript,
    ...(refusal !== undefined && { refusal: { reason: refusal } }),
  })
}

const back = (visit: Visit): Html => html`<p><a href="${visitLocation(visit.place.tenant, visit.id)}">Back to your second factors</a></p>`
const signOut = (tenant: ResolvedTenant): Html => html`<p class="soft"><a href="${tenant.issuer.url}/logout">Sign out</a></p>`

/** Before anything: nothing has begun, and a link that leads here begins nothing. */
export const beginPage = (deps: BrokerDeps, tenant: ResolvedTenant, browserHash: CredentialHash): Answer => {
  const usable = usableConnections(tenant)
  const proof = stepProof(deps.sealer, provenBeginning(tenant, browserHash))
  return page(
    title,
    html`<p>The passkeys and authenticator apps that you show here beside your sign-in at <strong>${tenant.name}</strong>: look at them, add one, or take one away.</p><p>You sign in anew for this, and then show one of them.</p><form method="post" action="${visitLocation(tenant)}/sign-in"><input type="hidden" name="proof" value="${proof}">${usable.map(
      ({ id, name }) => html`<button name="connection" value="${id}">${usable.length === 1 ? 'Continue to sign-in' : name}</button>`,
    )}</form>`,
    { headers: { 'cache-control': 'no-store' }, formTargets: upstreamTargets(tenant.connections) },
  )
}

export const provenBeginning = (tenant: ResolvedTenant, browserHash: CredentialHash): ProvenStep => ({
  ...{ tenant: tenant.id, request: tenant.issuer.id, browserHash, step: 'begin_factor_visit' },
})

export const nonePage = ({ place: { tenant } }: Visit): Answer =>
  shown(
    title,
    html`<p>You have none here.</p><p>The first one is added when an application of yours needs it: ask the administrators of your company for a code then.</p>${signOut(tenant)}`,
  )

/** What she has added in this visit cannot be shown in it, and nothing else of hers works here. */
export const beginAgainPage = ({ place: { tenant } }: Visit, refusal?: FactorRefusal): Answer =>
  shown(
    title,
    html`<p>None of yours can be shown here now. What you have just added works from the next time on.</p><p><a href="${visitLocation(tenant)}">Start again</a></p>${signOut(tenant)}`,
    refusal,
  )

export const showOnePage = (visit: Visit, offer: ChallengeOffer, refusal?: FactorRefusal): Answer =>
  shown(
    'Show that it is you',
    html`<p>Show one of your second factors before you look at them or change them. It counts for ${factorLimits.visitProofSeconds / 60} minutes.</p>${challengeForms(formsOf(visit), offer)}${signOut(visit.place.tenant)}`,
    refusal,
  )

const day = (at: Instant): Html => {
  const text = new Date(at).toISOString()
  return html`<time datetime="${text}">${text.slice(0, 16).replace('T', ' ')} UTC</time>`
}

const facts = ({ createdAt, usedAt, enrolledBy }: StoredFactor): Html =>
  html`<span class="soft">Added ${day(createdAt)}, allowed by ${proofWords[enrolledBy]}. ${usedAt === undefined ? 'Never shown yet.' : html`Last shown ${day(usedAt)}.`}</span>`

/** Two may have been added in the same minute: each has its number. */
const called = ({ name }: StoredFactor, index: number): string => `${index + 1}. ${name}`

export const listPage = (visit: Visit, refusal?: FactorRefusal): Answer =>
  shown(
    title,
    html`<ul>${visit.factors.map(
      (factor, index) =>
        html`<li><strong>${called(factor, index)}</strong>${factor.id === visit.provedBy && html` <span class="tier">shown just now</span>`}<br>${facts(factor)}${visit.factors.length > 1 && leadTo(visit, ['remove', factor.id], 'Remove', `Remove ${called(factor, index)}`)}</li>`,
    )}</ul>${visit.factors.length === 1 && html`<p class="soft">It is the only one, so it cannot be removed here. Add another one, or ask your administrators.</p>`}${visit.factors.length < factorLimits.factors && leadTo(visit, ['step', 'add'], 'Add a passkey or an app')}<p class="soft">You do not know one of these? Tell your administrators at once.</p>${signOut(visit.place.tenant)}`,
    refusal,
  )

export const addPage = (visit: Visit, offer: EnrolmentOffer, refusal?: FactorRefusal): Answer =>
  shown('Add a second factor', html`${enrolmentForms(formsOf(visit), offer)}${back(visit)}`, refusal)

export const removePage = (visit: Visit, factor: StoredFactor): Answer =>
  shown(
    'Remove this one?',
    html`<p><strong>${called(factor, visit.factors.indexOf(factor))}</strong><br>${facts(factor)}</p><p>It opens nothing from then on. What was opened with it goes on: if somebody else may have it, ask your administrators to reset your second factor, which ends that, too.</p>${actForm(formsOf(visit, factor.id), 'remove', html`<button>Remove it</button>`)}${back(visit)}`,
  )
