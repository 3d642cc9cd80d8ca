/** What a person reads when she signs out. */
import { type Answer, page, redirect } from '../http/answer.js'
import { html } from '../http/html.js'
import { formTargetOf, upstreamTargets } from '../http/leave-for.js'
import type { ResolvedConnection, ResolvedTenant } from '../http/tenant.js'

const noStore = { 'cache-control': 'no-store' }

/** `proof`: that we showed it. `grantsLiveOn`: the tenant lets what was granted outlive a logout. */
type Asking = {
  readonly connection: ResolvedConnection | undefined
  readonly proof: string
  readonly grantsLiveOn: boolean
  /** Where she is sent in the end; the proof covers it. */
  readonly returnTo: string | undefined
}

/** Asked on a page of ours, because whoever leads a browser to an address could otherwise sign people out. OIDC RP-Initiated Logout §2 */
export const askPage = (tenant: ResolvedTenant, { connection, proof, grantsLiveOn, returnTo }: Asking): Answer =>
  page(
    `Sign out of ${tenant.name}?`,
    html`<p>Applications that you let in from this browser ${grantsLiveOn ? 'keep' : 'lose'} their access.</p><form method="post" action="${tenant.issuer.url}/logout"><input type="hidden" name="proof" value="${proof}">${returnTo === undefined ? '' : html`<input type="hidden" name="return_to" value="${returnTo}">`}<button>Sign out</button></form>`,
    {
      headers: noStore,
      formTargets: [...(connection ? upstreamTargets([connection]) : []), ...(returnTo === undefined ? [] : [formTargetOf(returnTo)])],
    },
  )

/** How far it went: here alone, or at the company's sign-in, too. */
export type SignedOut = 'here' | 'everywhere' | 'partly'

const said: Readonly<Record<SignedOut, string>> = {
  here: 'Your company\u2019s own sign-in may still know you: on a device that is not yours, sign out there as well.',
  everywhere: 'Your company\u2019s own sign-in has signed you out, too.',
  partly: 'Your company\u2019s own sign-in has signed you out, and says that some applications may not have heard of it.',
}

export const signedOutPage = (far: SignedOut, setCookies: readonly string[] = []): Answer =>
  page('You are signed out', html`<p>${said[far]}</p>`, { headers: noStore, setCookies })

/** On to where the application wanted her, or she reads here how far it went. */
export const farewell = (
  far: SignedOut,
  { returnTo, setCookies }: { readonly returnTo: string | undefined; readonly setCookies: readonly string[] },
): Answer => (returnTo === undefined ? signedOutPage(far, setCookies) : redirect(returnTo, { headers: noStore, setCookies }))
