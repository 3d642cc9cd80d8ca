/** After a barrier the IdP's own session is not enough: over SAML and OpenID Connect the person must have signed in there since. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { anAttempt, answerOf, logIn, redeem, registerAt } from './a-client.js'
import { aProduct, type Company, nextSecond, type Product } from './a-product.js'

let product: Product
const clients = new Map<Company, string>()

beforeAll(async () => {
  product = await aProduct()
  for (const company of ['acme', 'globex'] as const) clients.set(company, await registerAt(product.issuer(company)))
}, 120_000)
afterAll(() => product.stop(), 60_000)

const signInAs = async (company: Company, name: string) => {
  const attempt = anAttempt({
    ...{ issuer: product.issuer(company), clientId: clients.get(company) ?? '', resource: product.mcpUrl, scope: 'documents:read' },
  })
  return { attempt, ...(await logIn(attempt, { name })) }
}
const subjectOf = async (company: Company, name: string): Promise<string> => {
  const { attempt, page } = await signInAs(company, name)
  const { json } = await redeem(attempt, page, product.issuer(company))
  return JSON.parse(Buffer.from(String(json['access_token']).split('.')[1] ?? '', 'base64url').toString()).sub as string
}
/** Everything that she had is dead, and the door is open again. */
const throwOut = async (company: Company, subject: string): Promise<void> => {
  for (const what of ['kill', 'reinstate']) {
    const { status } = await product.admin('POST', `/tenants/${company}/subjects/${subject}/${what}`, { reason: 'her laptop was stolen' })
    expect({ what, status: Math.floor(status / 100) }).toEqual({ what, status: 2 })
  }
  await nextSecond()
}
const withCard = async (company: Company, fault: string, run: () => Promise<void>): Promise<void> => {
  await product.arm(company, fault)
  try {
    await run()
  } finally {
    await product.disarm(company, fault)
  }
}
const refusals = async (company: Company): Promise<readonly string[]> => {
  const { json } = await product.admin('GET', `/tenants/${company}/audit-events?kind=login_refused`)
  return (json['auditEvents'] as { id: number; reason: string }[]).sort((a, b) => a.id - b.id).map(({ reason }) => reason)
}

describe.each([
  { company: 'acme', ignored: 'saml_authn_not_fresh', word: 'ForceAuthn' },
  { company: 'globex', ignored: 'oidc_authn_not_fresh', word: 'prompt=login' },
] as const)('at $company', ({ company, ignored, word }) => {
  it('an old session at the IdP is good enough for whom nobody has thrown out', () =>
    withCard(company, 'old-session', async () => {
      const { page, seen } = await signInAs(company, 'ada')
      expect(seen.filter((step) => step === 'sign-in')).toHaveLength(1)
      expect(answerOf(page)).toHaveProperty('code')
    }))

  it('whoever was thrown out is sent back once to sign in anew, and that counts', async () => {
    const subject = await subjectOf(company, 'lena')
    await throwOut(company, subject)
    const before = (await refusals(company)).length
    await withCard(company, 'old-session', async () => {
      const { page, seen } = await signInAs(company, 'lena')
      expect(seen.filter((step) => step === 'sign-in')).toHaveLength(2)
      expect(answerOf(page)).toHaveProperty('code')
    })
    expect((await refusals(company)).slice(before)).toEqual(['fresh_login_required'])
  })

  it('an IdP that never asks again lets nobody back in, and the page and the audit trail say so', async () => {
    const subject = await subjectOf(company, 'lena')
    await throwOut(company, subject)
    const before = (await refusals(company)).length
    await withCard(company, 'ignores-force', async () => {
      const { page, seen } = await signInAs(company, 'lena')
      expect(seen.filter((step) => step === 'sign-in')).toHaveLength(2)
      expect(page).toMatchObject({ isStopped: false, status: 400 })
      expect(page.text).toContain(`cause ${ignored}`)
      expect(page.text).toContain(`Let the IdP honour ${word} for this application.`)
      expect(page.text).toContain(String(page.headers['x-request-id']))
    })
    expect((await refusals(company)).slice(before)).toEqual(['fresh_login_required', ignored])
  })
})
