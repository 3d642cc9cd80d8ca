/** The pages of the browser flow. A registered name can be anything, so each page shows the hosts beside it. */
import { type Client, hostOfClient, hostOfUrl } from '@drawbridge/core/oauth/client'
import { oauthErrors } from '@drawbridge/core/oauth/error'
import { isLoopbackOnly, isOnOwnMachine } from '@drawbridge/core/oauth/redirect-uri'
import type { IdentityScope } from '@drawbridge/core/oauth/scope'
import type { PolicyDecision } from '@drawbridge/core/policy/decision'
import type { Scope } from '@drawbridge/core/tenant/ids'
import { type Answer, page } from '../http/answer.js'
import { type Html, html } from '../http/html.js'
import { upstreamTargets } from '../http/leave-for.js'
import { type ResolvedTenant, usableConnections } from '../http/tenant.js'
import { targetsOf, wayBack } from './answer.js'
import { type Flow, provenStep, stepLocation } from './flow.js'
import { type FlowStep, stepProof } from './step-proof.js'

const noStore = { headers: { 'cache-control': 'no-store' } }

const pathOf = {
  choose_tenant: 'choose-tenant',
  choose_connection: 'choose-connection',
  client_notice: 'client-notice',
  second_factor: 'second-factor',
  consent: 'consent',
} as const

export const proofFields = (flow: Flow, step: FlowStep): Html =>
  html`<input type="hidden" name="request" value="${flow.ongoing.id}"><input type="hidden" name="proof" value="${stepProof(flow.deps.sealer, provenStep(flow, step))}">`

const form = (flow: Flow, step: FlowStep, body: Html): Html =>
  html`<form method="post" action="${stepLocation(flow, pathOf[step]).split('?')[0]}">${proofFields(flow, step)}${body}</form>`

export const clientTargets = (flow: Flow): readonly string[] => targetsOf(flow.pending)

export const clientFacts = (client: Client, flow: Pick<Flow, 'pending' | 'resource'>): Html =>
  html`<dl><dt>Application</dt><dd><strong>${client.name}</strong></dd>${client.kind === 'metadata_document' && html`<dt>Published by</dt><dd><code>${hostOfUrl(client.id)}</code></dd>`}${answerGoesTo(flow)}<dt>To use</dt><dd>${flow.resource.name}</dd></dl>`

const answerGoesTo = ({ pending }: Pick<Flow, 'pending'>): Html =>
  pending.deviceCodeId === undefined
    ? html`<dt>Sends you to</dt><dd><code>${hostOfUrl(pending.redirectUri)}</code></dd>`
    : html`<dt>Gives access to</dt><dd>the device whose code you typed</dd>`

/**
 * What counts is where this answer goes: a client may be at a web host as well, and any program on her machine can call itself that client.
 *
 * @spec MCP authorization, Localhost Redirect URI Risks
 */
const loopbackWarning = ({ client, pending }: Pick<Flow, 'client' | 'pending'>): Html | false =>
  (isLoopbackOnly(client.redirectUris) || (pending.deviceCodeId === undefined && isOnOwnMachine(pending.redirectUri))) &&
  html`<p class="notice" role="note">This application runs on your own device, so nobody can check that it is what it says. Continue only if you have just started it yourself.</p>`

/** At the front issuer: whose IdP comes next nobody knows yet, and browsers hold every hop to what a page names. So any host may be next, as behind an OpenID provider. */
export const anyTargets = ({ home }: Pick<ResolvedTenant, 'home'>): readonly string[] => [
  'https:',
  ...(home.startsWith('http:') ? ['http:'] : []),
]

/**
 * What it says of a word that leads nowhere is what anybody learns who asks the issuer of that name.
 */
export const chooseTenantPage = (flow: Flow, mistake?: 'organisation_unfound'): Answer =>
  page(
    'Where do you work?',
    html`${mistake && html`<p class="notice" role="alert">No organisation that signs in here is known by that. Use the e-mail address of your work, or ask your IT for the short name.</p>`}<p>You are about to sign in for this application:</p>${clientFacts(flow.client, flow)}${form(
      flow,
      'choose_tenant',
      html`<label for="organisation">Your work e-mail address, or the short name of your organisation</label><input type="text" id="organisation" name="organisation" required maxlength="320" autocomplete="username" autocapitalize="none" spellcheck="false"><button>Continue</button>`,
    )}`,
    {
      ...noStore,
      status: mistake ? 400 : 200,
      formTargets: [...anyTargets(flow.tenant), ...clientTargets(flow)],
    },
  )

const remember = html`<label><input type="checkbox" name="remember" value="yes"> Take me there next time on this device</label>`

/** The address first; where it leads nobody can tell from how this page answers. The names of the connections are what the company chose to show. */
export const chooseConnectionPage = (flow: Flow, mistake?: 'email_malformed'): Answer =>
  page(
    `Sign in to ${flow.tenant.name}`,
    html`${mistake && html`<p class="notice" role="alert">That is not an e-mail address.</p>`}${form(
      flow,
      'choose_connection',
      html`<label for="email">Your e-mail address at your company</label><input type="email" id="email" name="email" required maxlength="320" autocomplete="username">${remember}<button>Continue</button>`,
    )}<h2>Or choose how you sign in</h2>${form(
      flow,
      'choose_connection',
      html`${remember}${usableConnections(flow.tenant).map(
        (connection) => html`<button name="connection" value="${connection.id}">${connection.name}</button>`,
      )}`,
    )}`,
    { ...noStore, status: mistake ? 400 : 200, formTargets: [...upstreamTargets(flow.tenant.connections), ...clientTargets(flow)] },
  )

/** @spec MCP security best practices, confused deputy: announced before the login at the company's IdP starts */
export const clientNoticePage = (flow: Flow): Answer =>
  page(
    'An application wants you to sign in',
    html`${loopbackWarning(flow)}<p>You will be asked to sign in at <strong>${flow.tenant.name}</strong> for this application:</p>${clientFacts(flow.client, flow)}<p class="soft">Your company has not reviewed it. After signing in you will see what it asks for.</p>${form(
      flow,
      'client_notice',
      html`<button name="answer" value="continue">Continue to sign-in</button><button class="quiet" name="answer" value="cancel">Cancel</button>`,
    )}`,
    { ...noStore, formTargets: [...upstreamTargets(flow.tenant.connections), ...clientTargets(flow)] },
  )

/** What an admin needs to find it is here to be copied. A name can be anything, so the host stands beside it. */
export function unapprovedPage(tenant: Pick<ResolvedTenant, 'name'>, client: Client): Answer {
  const refusal = { reason: 'client_not_approved' } as const
  return page(
    'This application has to be approved first',
    html`<p>An administrator of <strong>${tenant.name}</strong> has to approve this application before anybody can use it. It stands in their list of those that wait. If you need it, ask them for it by this:</p><dl><dt>Application</dt><dd><strong>${client.name}</strong></dd><dt>Host</dt><dd><code>${hostOfClient(client)}</code></dd><dt>client_id</dt><dd><code>${client.id}</code></dd></dl><p class="soft">Code <code>${refusal.reason}</code></p>`,
    { ...noStore, status: oauthErrors[refusal.reason].status, refusal },
  )
}

const tierWords = { read: 'reads', write: 'changes', sensitive: 'sensitive', admin: 'administers' } as const

const toldWords: Readonly<Record<IdentityScope, string>> = {
  openid: 'that you are the same person each time',
  profile: 'your name and what else your company says of you',
  email: 'your e-mail address',
}

const toldOf = ({ pending }: Flow): Html | false =>
  pending.identityScopes.length > 0 &&
  html`<h2>It will learn</h2><ul>${pending.identityScopes.map((scope) => html`<li>${toldWords[scope]}</li>`)}</ul>`

/** @spec RFC 6749 §10.2, RFC 9700 §4.16 no framing; the CSP of every page sees to that */
export function consentPage(flow: Flow, scopes: readonly Scope[], hasLogo: boolean): Answer {
  const shown = flow.resource.scopes.filter((scope) => scopes.includes(scope.name))
  return page(
    `Allow ${flow.client.name}?`,
    html`${hasLogo && html`<img class="logo" alt="" src="${stepLocation(flow, 'client-logo')}">`}${loopbackWarning(flow)}${clientFacts(flow.client, flow)}<h2>It will be able to</h2><ul>${shown.map(
      (scope) =>
        html`<li>${scope.description} <span class="${`tier ${scope.tier}`}">${tierWords[scope.tier]}</span><br><code class="soft">${scope.name}</code></li>`,
    )}</ul>${toldOf(flow)}${form(
      flow,
      'consent',
      html`<button name="answer" value="allow">Allow</button><button class="quiet" name="answer" value="deny">Do not allow</button>`,
    )}`,
    { ...noStore, formTargets: clientTargets(flow), hasPictures: hasLogo },
  )
}

const denialTitles = {
  mfa_missing: 'A second factor is needed',
  login_not_fresh: 'You must sign in anew',
  nothing_granted: 'You have no access to this',
  session_ended: 'Your session has ended',
  subject_deactivated: 'Your account is deactivated',
} as const

/** Says what was missing, and offers the way back with the error that the client understands. */
export function denialPage(flow: Flow, decision: Extract<PolicyDecision, { kind: 'deny' }>): Answer {
  const reason = decision.reason === 'session_ended' ? 'request_expired' : decision.reason
  const entry = oauthErrors[reason]
  const back = wayBack(flow.tenant, flow.pending, { reason: 'access_refused' }, `Return to ${flow.client.name}`)
  return page(
    denialTitles[decision.reason],
    html`<p>${entry.say.charAt(0).toUpperCase() + entry.say.slice(1)}.</p><p>What was missing: <strong>${decision.missing}</strong>.</p>${clientFacts(flow.client, flow)}${back}${flow.pending.deviceCodeId !== undefined && html`<p>The device gets no access. You may close this page.</p>`}<p class="soft">Code <code>${reason}</code></p>`,
    { ...noStore, status: 403, formTargets: clientTargets(flow), refusal: { reason, detail: { missing: decision.missing } } },
  )
}
