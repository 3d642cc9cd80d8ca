/** What a device without a browser is answered, and what the page is on which a person answers for it. */
import assert from 'node:assert/strict'
import { type Answered, type Parameters, post, type Requirement, refusedWith, type Target } from './requirement.js'

const grantType = 'urn:ietf:params:oauth:grant-type:device_code'

const ask = ({ issuer, device, resource }: Target, change: Parameters = {}): Promise<Answered> =>
  post(`${issuer}/device_authorization`, { client_id: device.id, resource, ...change })

async function asked(target: Target): Promise<Readonly<Record<string, unknown>>> {
  const { status, json } = await ask(target)
  assert.equal(status, 200, `answered ${status} ${JSON.stringify(json)}`)
  assert.equal(typeof json['device_code'], 'string')
  return json
}

const poll = ({ issuer, device }: Target, code: unknown, change: Parameters = {}): Promise<Answered> =>
  post(`${issuer}/token`, { grant_type: grantType, device_code: String(code), client_id: device.id, ...change })

export const deviceAuthorizationRequirements: readonly Requirement[] = [
  {
    section: 'RFC 8628 §4',
    level: 'SHOULD',
    says: 'names the device authorization endpoint and the grant type in its metadata',
    ask: async ({ issuer }) => {
      const { origin, pathname } = new URL(issuer)
      const response = await fetch(`${origin}/.well-known/oauth-authorization-server${pathname}`)
      const metadata = (await response.json()) as Readonly<Record<string, unknown>>
      assert.equal(metadata['device_authorization_endpoint'], `${issuer}/device_authorization`)
      assert.ok((metadata['grant_types_supported'] as readonly string[]).includes(grantType))
    },
  },
  {
    section: 'RFC 8628 §3.2',
    level: 'MUST',
    says: 'answers with both codes, where to type the one, and how long they live, and lets nobody keep that',
    ask: async (target) => {
      const { status, headers, json } = await ask(target)
      assert.equal(status, 200)
      for (const name of ['device_code', 'user_code', 'verification_uri']) assert.equal(typeof json[name], 'string', name)
      for (const name of ['expires_in', 'interval']) assert.ok(Number(json[name]) > 0, name)
      assert.match(String(headers.get('cache-control')), /no-store/)
    },
  },
  {
    section: 'RFC 8628 §5.2',
    level: 'SHOULD',
    says: 'gives a device code that nobody guesses, and another one each time',
    ask: async (target) => {
      const [one, other] = [await asked(target), await asked(target)]
      assert.ok(String(one['device_code']).length >= 43)
      assert.notEqual(one['device_code'], other['device_code'])
      assert.notEqual(one['user_code'], other['user_code'])
    },
  },
  {
    section: 'RFC 8628 §6.1',
    level: 'SHOULD',
    says: 'gives a user code of consonants that are told apart from each other and from digits',
    ask: async (target) => assert.match(String((await asked(target))['user_code']), /^[BCDFGHJKLMNPQRSTVWXZ-]{8,10}$/),
  },
  {
    section: 'RFC 8628 §3.1',
    level: 'MUST',
    says: 'refuses a client that it does not know',
    ask: async (target) => refusedWith(await ask(target, { client_id: 'nobody' }), ['invalid_client']),
  },
  {
    section: 'RFC 8628 §3.1',
    level: 'MUST',
    says: 'refuses a client that is not registered for the grant',
    ask: async (target) => refusedWith(await ask(target, { client_id: target.client.id }), ['unauthorized_client']),
  },
  {
    section: 'RFC 8628 §3.5',
    level: 'MUST',
    says: 'tells a device to go on waiting while nobody has answered',
    ask: async (target) => refusedWith(await poll(target, (await asked(target))['device_code']), ['authorization_pending']),
  },
  {
    section: 'RFC 8628 §3.5',
    level: 'MUST',
    says: 'tells a device that polls without waiting to slow down',
    ask: async (target) => {
      const { device_code: code } = await asked(target)
      await poll(target, code)
      refusedWith(await poll(target, code), ['slow_down'])
    },
  },
  {
    section: 'RFC 8628 §3.4',
    level: 'MUST',
    says: 'refuses a device code that it never gave',
    ask: async (target) => refusedWith(await poll(target, 'a'.repeat(43)), ['invalid_grant']),
  },
  {
    section: 'RFC 8628 §3.4',
    level: 'MUST',
    says: 'refuses a device code of another client',
    ask: async (target) => {
      const { device_code: code } = await asked(target)
      refusedWith(await poll(target, code, { client_id: target.device.otherId }), ['invalid_grant'])
    },
  },
  {
    section: 'RFC 8628 §3.3.1',
    level: 'MUST',
    says: 'asks the person about the code that the address brought with it, and decides nothing by the address',
    ask: async (target) => {
      const { device_code: code, user_code: userCode, verification_uri_complete: address } = await asked(target)
      const response = await fetch(String(address), { redirect: 'manual' })
      assert.equal(response.status, 200)
      assert.ok((await response.text()).includes(String(userCode)))
      refusedWith(await poll(target, code), ['authorization_pending'])
    },
  },
  {
    section: 'RFC 8628 §5.3',
    level: 'MUST',
    says: 'lets nobody frame the page where the code is typed',
    ask: async (target) => {
      const response = await fetch(String((await asked(target))['verification_uri']))
      await response.text()
      assert.match(String(response.headers.get('content-security-policy')), /frame-ancestors 'none'/)
    },
  },
]
