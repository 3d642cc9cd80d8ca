/** Keys that change by themselves, before a real guard: whoever has a token goes on, across the rotation, another algorithm and the end of the old key. */
import { callTool } from '@drawbridge/cli/demo-client'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { defaultKeyAgeDays, keyOverlapSeconds, retiredKeySeconds } from '@drawbridge/core/oauth/key-rotation'
import { createGuard } from '@drawbridge/guard/create-guard'
import { createMetrics } from '@drawbridge/runtime/metrics'
import { rotateSigningKeys } from '@drawbridge/worker/jobs/rotate-signing-keys.job'
import { createSigners } from '@drawbridge/worker/signers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { anAttempt, logIn, redeem, registerAt } from './a-client.js'
import { aProduct, eventually, type Product } from './a-product.js'

let product: Product
beforeAll(async () => {
  product = await aProduct()
}, 120_000)
afterAll(() => product?.stop(), 60_000)

const secondsPerDay = 86_400
async function signIn(): Promise<{ readonly token: string; readonly grant: string }> {
  const issuer = product.issuer('acme')
  const clientId = await registerAt(issuer)
  const attempt = anAttempt({ issuer, clientId, resource: product.mcpUrl })
  const { page } = await logIn(attempt, { name: 'ada' })
  const { json } = await redeem(attempt, page, issuer)
  const token = String(json['access_token'])
  return { token, grant: String(partOf(token, 1)['gid']) }
}
const partOf = (token: string, part: 0 | 1) =>
  JSON.parse(Buffer.from(token.split('.')[part] ?? '', 'base64url').toString()) as Record<string, unknown>
const statusOf = async (token: string) => (await callTool(product.mcpUrl, token)).status
const kidsAt = async (path: string) =>
  ((await (await fetch(`${product.issuer('acme')}${path}`)).json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid)

/** What a worker does at that time; nobody else's clock moves. */
async function rotateAt(now: Instant): Promise<void> {
  const { platform } = product.started
  const { installationId } = platform.installation
  const deps = { ...platform, ...createSigners(platform.sealer, installationId), installationId }
  await rotateSigningKeys({
    ...(deps as unknown as Parameters<typeof rotateSigningKeys>[0]),
    ...{ metrics: createMetrics({ withProcess: false }), signingKeyAgeSeconds: defaultKeyAgeDays * secondsPerDay },
    clock: { ...platform.clock, now: () => now },
  })
}

it('nothing that was issued dies by a rotation, and the guard believes the next key without being told', async () => {
  const start = instant(Date.now())
  const before = await signIn()
  expect(await statusOf(before.token)).toBe(200)

  const rotatedAt = addSeconds(start, (defaultKeyAgeDays + 1) * secondsPerDay)
  await rotateAt(rotatedAt)
  const after = await signIn()
  expect(partOf(after.token, 0)['kid']).not.toBe(partOf(before.token, 0)['kid'])
  expect([await statusOf(before.token), await statusOf(after.token)]).toEqual([200, 200])

  // Notices are signed by another key, too, and heard.
  expect((await product.admin('POST', `/tenants/acme/grants/${after.grant}/revoke`, { reason: 'test' })).status).toBe(200)
  await eventually(async () => (await statusOf(after.token)) === 401)
  expect(await statusOf(before.token)).toBe(200)

  const kid = String(partOf(before.token, 0)['kid'])
  await rotateAt(addSeconds(rotatedAt, retiredKeySeconds - 1))
  expect(await kidsAt('/jwks')).toContain(kid)
  await rotateAt(addSeconds(rotatedAt, retiredKeySeconds + 1))
  await eventually(async () => !(await kidsAt('/jwks')).includes(kid))
})

it('nor by another algorithm, which a guard knows a day before it signs', async () => {
  const start = instant(Date.now())
  const before = await signIn()
  expect((await product.admin('PUT', '/tenants/acme/token-algorithm', { algorithm: 'EdDSA' })).status).toBe(200)
  await rotateAt(addSeconds(start, keyOverlapSeconds - 60))
  const meanwhile = await signIn()
  expect(partOf(meanwhile.token, 0)['alg']).toBe('ES256')
  // In a day every guard has fetched the keys again; this one does now.
  const guard = createGuard({
    resource: product.mcpUrl,
    issuers: [{ issuer: product.issuer('acme'), credential: product.started.demonstration.resourceCredential }],
    ...{ toolScopes: {}, baseScopes: [], onDeaf: 'refuse' },
  })
  await guard.start()
  try {
    const verdicts = async (...tokens: string[]) => Promise.all(tokens.map(async (token) => (await guard.check(`Bearer ${token}`, [])).ok))
    expect(await verdicts(before.token, meanwhile.token)).toEqual([true, true])
    await rotateAt(addSeconds(start, keyOverlapSeconds + 60))
    const after = await signIn()
    expect(partOf(after.token, 0)['alg']).toBe('EdDSA')
    expect(await verdicts(before.token, meanwhile.token, after.token)).toEqual([true, true, true])
  } finally {
    await guard.stop()
  }
})
