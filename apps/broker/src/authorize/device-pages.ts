/**
 * The pages on which a person takes a device upon herself.
 *
 * Whoever asked may be anywhere, and may have sent her the code: so the page says what is known of the asking and what she would be doing, and nothing
 * begins by a link alone.
 */
import type { Client } from '@drawbridge/core/oauth/client'
import { oauthErrors } from '@drawbridge/core/oauth/error'
import type { UserCode } from '@drawbridge/core/oauth/user-code'
import { formatUserCode } from '@drawbridge/core/oauth/user-code'
import type { WaitingDevice } from '@drawbridge/store/device-codes'
import { type Answer, page } from '../http/answer.js'
import { type Html, html } from '../http/html.js'
import { upstreamTargets } from '../http/leave-for.js'
import type { ResolvedTenant } from '../http/tenant.js'
import type { Flow } from './flow.js'
import { anyTargets, clientFacts } from './pages.js'

const noStore = { 'cache-control': 'no-store' }

export type CodeForm = {
  readonly tenant: ResolvedTenant
  readonly proof: string
  /** As it stood in the address, or as it was typed. */
  readonly typed: string
  readonly mistake?: 'user_code_unknown' | undefined
}

/** Prefilled by the address of `verification_uri_complete`, and never sent by itself. @spec RFC 8628 §3.3, §3.3.1 */
export const userCodePage = ({ tenant, proof, typed, mistake }: CodeForm): Answer =>
  page(
    tenant.issuer.kind === 'front' ? 'Connect a device' : `Connect a device to ${tenant.name}`,
    html`${mistake && html`<p class="notice" role="alert">Not accepted: ${oauthErrors[mistake].say}.</p>`}<p>Type the code that your device shows.</p><form method="post" action="${tenant.issuer.url}/device"><input type="hidden" name="proof" value="${proof}"><label for="user_code">Code</label><input id="user_code" name="user_code" value="${typed}" required maxlength="64" autocomplete="off" autocapitalize="characters" spellcheck="false" autofocus><button>Continue</button></form>`,
    {
      headers: noStore,
      status: mistake ? oauthErrors[mistake].status : 200,
      ...(mistake && { refusal: { reason: mistake } }),
    },
  )

export type DeviceShown = Pick<Flow, 'pending' | 'resource'> & {
  readonly tenant: ResolvedTenant
  /** Where she signs in; `undefined`: she has to say it yet. */
  readonly company: string | undefined
  readonly client: Client
  readonly device: WaitingDevice
  readonly userCode: UserCode
  readonly proof: string
}

/** @spec RFC 8628 §3.3.1 the code is shown again, §5.4 remote phishing, §5.5 session spying */
export const devicePage = (shown: DeviceShown): Answer =>
  page(
    'Is this your device?',
    html`<p class="notice" role="note">Go on only if you have just started this yourself, on a device that you have before you, and it shows this code. If somebody sent you the code, or called you about it, stop: whoever holds that device would act in your name.</p>${deviceFacts(shown)}${clientFacts(shown.client, shown)}<form method="post" action="${shown.tenant.issuer.url}/device/confirm"><input type="hidden" name="device" value="${shown.device.id}"><input type="hidden" name="proof" value="${shown.proof}"><button name="answer" value="continue">Yes, this is my device</button><button class="quiet" name="answer" value="stop">I did not start this</button></form>`,
    {
      headers: noStore,
      formTargets: shown.tenant.issuer.kind === 'front' ? anyTargets(shown.tenant) : upstreamTargets(shown.tenant.connections),
    },
  )

function deviceFacts({ company, device, userCode }: DeviceShown): Html {
  const askedAt = new Date(device.createdAt).toISOString()
  const said = `${askedAt.slice(0, 10)} ${askedAt.slice(11, 19)} UTC`
  return html`<dl><dt>The device shows</dt><dd><strong><code>${formatUserCode(userCode)}</code></strong></dd>${company !== undefined && html`<dt>You sign in at</dt><dd>${company}</dd>`}<dt>It asked at</dt><dd><time datetime="${askedAt}">${said}</time></dd><dt>From</dt><dd><code>${device.askedAddress ?? 'unknown'}</code>${device.askedCountry !== undefined && html` (${device.askedCountry})`}</dd></dl>`
}

export const deviceStoppedPage = (): Answer =>
  page('The device gets no access', html`<p>Nothing was begun. Thank you for looking. You may close this page.</p>`, { headers: noStore })
