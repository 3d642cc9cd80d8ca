/** The pages that ask for a factor of ours, or enrol one. They work by keyboard and on a phone; only a passkey needs a script. */
import { type FactorRefusal, factorErrors } from '@drawbridge/core/factor/error'
import type { Secret } from '@drawbridge/core/secret'
import { type Answer, page } from '../http/answer.js'
import { type Html, html } from '../http/html.js'
import { upstreamTargets } from '../http/leave-for.js'
import { qrCode } from '../http/qr-code.js'
import { errorLocation } from './answer.js'
import { type Flow, stepLocation } from './flow.js'
import { clientFacts, clientTarget, proofFields } from './pages.js'
import { passkeyScript } from './passkey-script.js'

/** What a form of these pages does. */
export const factorActs = ['passkey', 'totp', 'redeem', 'enrol_passkey', 'enrol_totp', 'skip'] as const
export type FactorAct = (typeof factorActs)[number]

const form = (flow: Flow, act: FactorAct, body: Html): Html =>
  html`<form method="post" action="${stepLocation(flow, 'second-factor').split('?')[0]}">${proofFields(flow, 'second_factor')}<input type="hidden" name="act" value="${act}">${body}</form>`

/** Its button is hidden until the script is there. `options`: what the browser is asked. */
const passkeyForm = (flow: Flow, act: 'passkey' | 'enrol_passkey', options: object, label: string, more?: Html): Html =>
  html`<form method="post" action="${stepLocation(flow, 'second-factor').split('?')[0]}" data-passkey="${act === 'passkey' ? 'get' : 'create'}" data-options="${JSON.stringify(options)}">${proofFields(flow, 'second_factor')}<input type="hidden" name="act" value="${act}"><input type="hidden" name="answer" value="">${more}<button hidden>${label}</button><p role="alert"></p><noscript><p class="soft">A passkey needs JavaScript, which is switched off here.</p></noscript></form>`

const codeField = (label: string, hint?: Html): Html =>
  html`<label for="code">${label}</label>${hint}<input type="text" id="code" name="code" inputmode="numeric" autocomplete="one-time-code" required maxlength="10">`

const trouble = (refusal: FactorRefusal | undefined): Html | false =>
  refusal !== undefined && html`<p class="notice" role="alert">${sentence(factorErrors[refusal].say)}.</p>`
const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

const wayBack = (flow: Flow): Html =>
  html`<p class="soft"><a href="${errorLocation(flow.tenant, flow.pending, { reason: 'access_refused' })}">Return to ${flow.client.name}</a></p>`

/** Browsers hold every hop that follows a form to `form-action`: to ourselves, upstream, or back to the client. */
function shown(flow: Flow, title: string, body: Html, refusal: FactorRefusal | undefined): Answer {
  return page(title, html`${trouble(refusal)}${body}${wayBack(flow)}`, {
    headers: { 'cache-control': 'no-store' },
    status: refusal === undefined ? 200 : factorErrors[refusal].status,
    formTargets: [...upstreamTargets(flow.tenant.connections), clientTarget(flow)],
    script: passkeyScript,
    ...(refusal !== undefined && { refusal: { reason: refusal } }),
  })
}

export type ChallengeShown = {
  /** Absent: she has no passkey that helps. */
  readonly passkeyOptions: object | undefined
  readonly asksForCode: boolean
  /** To enrol another one comes next, whatever she ticks. */
  readonly leadsToEnrolment: boolean
}

export function challengePage(
  flow: Flow,
  { passkeyOptions, asksForCode, leadsToEnrolment }: ChallengeShown,
  refusal?: FactorRefusal,
): Answer {
  const add = leadsToEnrolment
    ? html``
    : html`<label><input type="checkbox" name="add" value="yes"> Then add another passkey or app</label>`
  const why = leadsToEnrolment
    ? html`<p>This needs a passkey. Show with what you have that it is you, then add one.</p>`
    : html`<p>${flow.tenant.name} asks for a second factor before this application may act for you.</p>`
  return shown(
    flow,
    'Show that it is you',
    html`${why}${clientFacts(flow.client, flow)}${passkeyOptions && passkeyForm(flow, 'passkey', passkeyOptions, 'Use a passkey', add)}${asksForCode && form(flow, 'totp', html`${codeField('The code that your authenticator app shows')}${add}<button>Continue with the code</button>`)}`,
    refusal,
  )
}

/** Where the tenant's admin has to vouch for the first one. */
export const redeemPage = (flow: Flow, refusal?: FactorRefusal): Answer =>
  shown(
    flow,
    'Set up a second factor',
    html`<p>${flow.tenant.name} asks for a second factor before this application may act for you, and you have none here yet.</p>${clientFacts(flow.client, flow)}<p>Ask the administrators of your company for a code. It works once, for you alone.</p>${form(flow, 'redeem', html`<label for="code">The code that they told you</label><input type="text" id="code" name="code" autocomplete="off" required maxlength="40"><button>Continue</button>`)}`,
    refusal,
  )

export type EnrolmentShown = {
  readonly passkeyOptions: object | undefined
  /** Absent: an app would not help. Shown this once, on this page. */
  readonly totp: { readonly secret: Secret; readonly uri: Secret; readonly sealed: string } | undefined
  /** She may go on without. */
  readonly maySkip: boolean
  /** What is enrolled here helps from the next request on. */
  readonly forNextTime: boolean
}

export function enrolPage(flow: Flow, { passkeyOptions, totp, maySkip, forNextTime }: EnrolmentShown, refusal?: FactorRefusal): Answer {
  const passkey =
    passkeyOptions &&
    html`<h2>A passkey</h2><p>Your phone, your computer or a security key. It cannot be phished.</p>${passkeyForm(flow, 'enrol_passkey', passkeyOptions, 'Add a passkey')}`
  return shown(
    flow,
    'Add a second factor',
    html`${forNextTime && html`<p>What you add here works from the next time on: then start again in your application.</p>`}${passkey}${totp && appSteps(flow, totp)}${maySkip && form(flow, 'skip', html`<button class="quiet">Go on without</button>`)}`,
    refusal,
  )
}

const appSteps = (flow: Flow, { secret, uri, sealed }: NonNullable<EnrolmentShown['totp']>): Html =>
  html`<h2>An authenticator app</h2><p>Scan this with your app. It is shown only now.</p>${qrCode(uri.reveal(), 'QR code of the key that stands below as text')}<p>Or enter the key, as one of codes that change by time:</p><p><code>${fours(secret.reveal())}</code></p><p><a href="${uri.reveal()}">Open it in the app on this device</a></p>${form(
    flow,
    'enrol_totp',
    html`<input type="hidden" name="key" value="${sealed}">${codeField('The code that the app shows for it')}<button>Add the app</button>`,
  )}`

const fours = (text: string): string => text.replaceAll(/(.{4})(?=.)/g, '$1 ')
