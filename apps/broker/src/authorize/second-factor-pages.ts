/** The pages that ask for a factor of ours before the request of a client, or enrol one for it. */
import { type FactorRefusal, factorErrors } from '@drawbridge/core/factor/error'
import { type Answer, page } from '../http/answer.js'
import { type Html, html } from '../http/html.js'
import { upstreamTargets } from '../http/leave-for.js'
import { wayBack } from './answer.js'
import {
  actForm,
  type ChallengeOffer,
  challengeForms,
  type EnrolmentOffer,
  enrolmentForms,
  type FormPlace,
  trouble,
} from './factor-forms.js'
import { type Flow, stepLocation } from './flow.js'
import { clientFacts, clientTargets, proofFields } from './pages.js'
import { passkeyScript } from './passkey-script.js'

/** What a form of these pages does. */
export const factorActs = ['passkey', 'totp', 'redeem', 'enrol_passkey', 'enrol_totp', 'skip'] as const
export type FactorAct = (typeof factorActs)[number]

const formsOf = (flow: Flow): FormPlace<FactorAct> => ({
  action: stepLocation(flow, 'second-factor').split('?')[0] ?? '',
  fields: () => proofFields(flow, 'second_factor'),
})

/** Browsers hold every hop that follows a form to `form-action`: to ourselves, upstream, or back to the client. */
function shown(flow: Flow, title: string, body: Html, refusal: FactorRefusal | undefined): Answer {
  return page(
    title,
    html`${trouble(refusal)}${body}${wayBack(flow.tenant, flow.pending, { reason: 'access_refused' }, `Return to ${flow.client.name}`)}`,
    {
      headers: { 'cache-control': 'no-store' },
      status: refusal === undefined ? 200 : factorErrors[refusal].status,
      formTargets: [...upstreamTargets(flow.tenant.connections), ...clientTargets(flow)],
      script: passkeyScript,
      ...(refusal !== undefined && { refusal: { reason: refusal } }),
    },
  )
}

export type ChallengeShown = ChallengeOffer & {
  /** To enrol another one comes next, whatever she ticks. */
  readonly leadsToEnrolment: boolean
}

export function challengePage(flow: Flow, { leadsToEnrolment, ...offer }: ChallengeShown, refusal?: FactorRefusal): Answer {
  const add = leadsToEnrolment
    ? html``
    : html`<label><input type="checkbox" name="add" value="yes"> Then add another passkey or app</label>`
  const why = leadsToEnrolment
    ? html`<p>This needs a passkey. Show with what you have that it is you, then add one.</p>`
    : html`<p>${flow.tenant.name} asks for a second factor before this application may act for you.</p>`
  const body = html`${why}${clientFacts(flow.client, flow)}${challengeForms(formsOf(flow), offer, add)}`
  return shown(flow, 'Show that it is you', body, refusal)
}

/** Where the tenant's admin has to vouch for the first one. */
export const redeemPage = (flow: Flow, refusal?: FactorRefusal): Answer =>
  shown(
    flow,
    'Set up a second factor',
    html`<p>${flow.tenant.name} asks for a second factor before this application may act for you, and you have none here yet.</p>${clientFacts(flow.client, flow)}<p>Ask the administrators of your company for a code. It works once, for you alone.</p>${actForm(formsOf(flow), 'redeem', html`<label for="code">The code that they told you</label><input type="text" id="code" name="code" autocomplete="off" required maxlength="40"><button>Continue</button>`)}`,
    refusal,
  )

export type EnrolmentShown = EnrolmentOffer & {
  /** She may go on without. */
  readonly maySkip: boolean
  /** What is enrolled here helps from the next request on. */
  readonly forNextTime: boolean
}

export const enrolPage = (flow: Flow, { maySkip, forNextTime, ...offer }: EnrolmentShown, refusal?: FactorRefusal): Answer =>
  shown(
    flow,
    'Add a second factor',
    html`${forNextTime && html`<p>What you add here works from the next time on: then start again in your application.</p>`}${enrolmentForms(formsOf(flow), offer)}${maySkip && actForm(formsOf(flow), 'skip', html`<button class="quiet">Go on without</button>`)}`,
    refusal,
  )
