/** What a person reads when she signs out. */
import { hostOfUrl } from '@drawbridge/core/oauth/client'
import { type Answer, page, redirect } from '../http/answer.js'
import { frontTenantOf } from '../http/front.js'
import { type Html, html } from '../http/html.js'
import { formTargetOf, upstreamTargets } from '../http/leave-for.js'
import type { ResolvedConnection, ResolvedTenant } from '../http/tenant.js'
import type { Returning } from './returning.js'

const noStore = { 'cache-control': 'no-store' }

/** `proof`: that we showed it. `grantsLiveOn`: the tenant lets what was granted outlive a logout. */
type Asking = {
  readonly connection: ResolvedConnection | undefined
  readonly proof: string
  readonly grantsLiveOn: boolean
  /** Where she is sent in the end; the proof covers it. */
  readonly returning: Returning | undefined
}

/** Asked on a page of ours, because whoever leads a browser to an address could otherwise sign people out. OIDC RP-Initiated Logout §2 */
export const askPage = (tenant: ResolvedTenant, { connection, proof, grantsLiveOn, returning }: Asking): Answer =>
  page(
    `Sign out of ${tenant.name}?`,
    html`<p>Applications that you let in from this browser ${grantsLiveOn ? 'keep' : 'lose'} their access.</p>${returning === undefined ? '' : html`<p>Then you are taken to <strong>${hostOfUrl(returning.url)}</strong>.</p>`}<form method="post" action="${tenant.issuer.url}/logout"><input type="hidden" name="proof" value="${proof}">${tenantField(tenant)}${returning === undefined ? '' : returnFields(returning)}<button>Sign out</button></form>`,
    {
      headers: noStore,
      formTargets: [
        ...(connection ? upstreamTargets([connection]) : []),
        ...(returning === undefined ? [] : [formTargetOf(returning.url)]),
      ],
    },
  )

/** At the front the address of the form does not say whose it is. */
function tenantField(tenant: ResolvedTenant): Html | '' {
  const slug = frontTenantOf(tenant)
  return slug === undefined ? '' : html`<input type="hidden" name="tenant" value="${slug}">`
}

const returnFields = ({ asked: { clientId, postLogoutRedirectUri, state } }: Returning): Html =>
  html`<input type="hidden" name="client_id" value="${clientId}"><input type="hidden" name="post_logout_redirect_uri" value="${postLogoutRedirectUri}">${state === undefined ? '' : html`<input type="hidden" name="state" value="${state}">`}`

/** Of the tenants at which this browser is signed in, and nobody else's. */
export const chooseSessionPage = (
  sessions: readonly { readonly name: string; readonly address: string }[],
  setCookies: readonly string[],
): Answer =>
  page(
    'Where do you want to sign out?',
    html`<p>You are signed in at more than one organisation in this browser.</p><ul>${sessions.map(({ name, address }) => html`<li><a href="${address}">Sign out of ${name}</a></li>`)}</ul>`,
    { headers: noStore, setCookies },
  )

/** How far it went: here alone, or at the company's sign-in, too. */
export type SignedOut = 'here' | 'everywhere' | 'partly'

const said: Readonly<Record<SignedOut, string>> = {
  here: 'Your company\u2019s own sign-in may still know you: on a device that is not yours, sign out there as well.',
  everywhere: 'Your company\u2019s own sign-in has signed you out, too.',
  partly: 'Your company\u2019s own sign-in has signed you out, and says that some applications may not have heard of it.',
}

/** Where the browser goes from here, and what it forgets. */
export type Leaving = { readonly returning: Returning | undefined; readonly setCookies: readonly string[] }

/** With where the application wanted her, for whoever clicks it. */
export const signedOutPage = (far: SignedOut, { returning, setCookies }: Partial<Leaving> = {}): Answer =>
  page('You are signed out', html`<p>${said[far]}</p>${returning === undefined ? '' : wayOn(returning)}`, {
    headers: noStore,
    setCookies: setCookies ?? [],
  })

function wayOn({ url }: Returning): Html {
  const host = hostOfUrl(url)
  return html`<p class="soft">Your company has not reviewed the application that sent you here. Go back to it only if you came from <strong>${host}</strong>.</p><p><a href="${url}">Return to ${host}</a></p>`
}

/** On to where the application wanted her, or she reads here how far it went. */
export const farewell = (far: SignedOut, { returning, setCookies }: Leaving): Answer =>
  returning === undefined ? signedOutPage(far, { setCookies }) : redirect(returning.url, { headers: noStore, setCookies })
