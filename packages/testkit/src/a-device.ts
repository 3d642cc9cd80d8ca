/** A device that has no browser of its own, and the person who types its code elsewhere. */
import { deviceGrantType } from '@drawbridge/core/oauth/device-grant-type'
import type { TestBroker } from './a-broker.js'
import { type APage, type APlainBrowser, hidden } from './a-login.js'
import type { ATenant } from './a-tenant.js'
import { asOwner, type TestDatabase } from './database.js'

export type DeviceAsked = {
  readonly device_code: string
  readonly user_code: string
  readonly verification_uri: string
  readonly verification_uri_complete: string
  readonly expires_in: number
  readonly interval: number
}
type Answered<Body> = { readonly status: number; readonly headers: Headers; readonly body: Body }
export type Polled = {
  readonly access_token?: string
  readonly refresh_token?: string
  readonly id_token?: string
  readonly error?: string
}

/** Lets devices of a tenant ask, and its client be one. */
export async function letDevicesAsk(fixture: TestDatabase, { tenantId }: ATenant): Promise<void> {
  await asOwner(fixture.ownerUrl, 'UPDATE tenants SET device_grant = true WHERE id = $1', [tenantId])
  const both = ['authorization_code', 'refresh_token', deviceGrantType]
  await asOwner(fixture.ownerUrl, 'UPDATE clients SET grant_types = $2 WHERE tenant_id = $1', [tenantId, both])
}

/** `from`: what a proxy adds to every request. */
export function aDevice({ url }: Pick<TestBroker, 'url'>, tenant: ATenant, from: Readonly<Record<string, string>> = {}) {
  const at = `${url}/t/${tenant.slug}`
  const post = async <Body>(path: string, form: Record<string, string>, headers: Record<string, string> = {}): Promise<Answered<Body>> => {
    const response = await fetch(`${at}/${path}`, { method: 'POST', body: new URLSearchParams(form), headers: { ...from, ...headers } })
    return { status: response.status, headers: response.headers, body: (await response.json()) as Body }
  }
  const tryToAsk = (change: Record<string, string> = {}, headers?: Record<string, string>) =>
    post<DeviceAsked & { readonly error?: string }>(
      'device_authorization',
      { client_id: tenant.clientId, resource: tenant.resource, scope: 'read', ...change },
      headers,
    )
  return {
    tryToAsk,
    ask: async (change?: Record<string, string>): Promise<DeviceAsked> => {
      const { status, body } = await tryToAsk(change)
      if (status !== 200) throw new Error(`a device was refused: ${JSON.stringify(body)}`)
      return body
    },
    poll: async (deviceCode: string, change: Record<string, string> = {}, headers?: Record<string, string>): Promise<Polled> =>
      (
        await post<Polled>(
          'token',
          { grant_type: deviceGrantType, device_code: deviceCode, client_id: tenant.clientId, ...change },
          headers,
        )
      ).body,
  }
}
export type ADevice = ReturnType<typeof aDevice>

/** Types a code on our page. */
export async function typeUserCode(browser: APlainBrowser, issuer: string, userCode: string): Promise<APage> {
  const { text } = await browser.visit(`${issuer}/device`)
  return browser.visit(`${issuer}/device`, { user_code: userCode, proof: hidden(text, 'proof') })
}

/** Answers the question whether the device is hers. */
export const answerDevice = (
  browser: APlainBrowser,
  issuer: string,
  { text }: APage,
  answer: 'continue' | 'stop' = 'continue',
): Promise<APage> => browser.visit(`${issuer}/device/confirm`, { device: hidden(text, 'device'), proof: hidden(text, 'proof'), answer })
