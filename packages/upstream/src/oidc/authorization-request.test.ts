import { describe, expect, test } from 'vitest'
import { aConnector, logIn } from './fixtures/a-provider.js'

const parametersOf = async (configuration: Record<string, unknown>, request: Parameters<typeof logIn>[0] = {}) => {
  const { url } = await logIn({ configuration, ...request })
  return Object.fromEntries(url.searchParams)
}
const fresh = { request: { forceAuthn: true } }
const stepUp = { request: { stepUpAcr: 'mfa' as const } }

test('a plain login asks for nothing special', async () => {
  expect(Object.keys(await parametersOf({})).toSorted()).toEqual(
    ['client_id', 'code_challenge', 'code_challenge_method', 'nonce', 'redirect_uri', 'response_type', 'scope', 'state'].toSorted(),
  )
})

describe('a fresh sign-in is demanded', () => {
  test.each([
    { of: 'most', configuration: {}, asked: { prompt: 'login', max_age: '0' } },
    { of: 'Okta Classic, for which 0 is absent', configuration: { maxAgeOnForce: 1 }, asked: { prompt: 'login', max_age: '1' } },
    {
      of: 'Google, which knows no prompt=login and says auth_time only when asked in its way',
      configuration: { promptOnForce: 'select_account', maxAgeOnForce: null, authTimeClaim: true },
      asked: { prompt: 'select_account', max_age: undefined, claims: '{"id_token":{"auth_time":{"essential":true}}}' },
    },
    { of: 'one that knows no prompt', configuration: { promptOnForce: null }, asked: { prompt: undefined, max_age: '0' } },
    { of: 'one that always asks which account', configuration: { prompt: 'select_account' }, asked: { prompt: 'login' } },
  ])('$of', async ({ configuration, asked }) => {
    expect(await parametersOf(configuration, fresh)).toMatchObject(
      Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined)),
    )
    for (const [name, value] of Object.entries(asked))
      if (value === undefined) expect(await parametersOf(configuration, fresh)).not.toHaveProperty(name)
  })
  test('and auth_time is asked for nowhere else', async () => {
    expect(await parametersOf({ authTimeClaim: true })).not.toHaveProperty('claims')
  })
})

describe('a client wants the person to choose an account', () => {
  const select = { request: { selectAccount: true } }
  test.each([
    { of: 'most', configuration: {}, prompt: 'select_account' },
    { of: 'one that knows only how to ask for a sign-in', configuration: { promptOnSelect: 'login' }, prompt: 'login' },
    { of: 'one that asks for consent each time', configuration: { prompt: 'consent' }, prompt: 'select_account' },
    { of: 'one that is to ask for a sign-in each time', configuration: { prompt: 'login' }, prompt: 'login' },
  ])('$of', async ({ configuration, prompt }) => {
    const asked = await parametersOf(configuration, select)
    expect([asked['prompt'], asked['max_age']]).toEqual([prompt, undefined])
  })
  test('one that cannot ask is not asked', async () => {
    expect(await parametersOf({ promptOnSelect: null }, select)).not.toHaveProperty('prompt')
  })
  test('and a fresh sign-in goes before it: who signs in anew may do so as somebody else', async () => {
    expect(await parametersOf({}, { request: { selectAccount: true, forceAuthn: true } })).toMatchObject({ prompt: 'login', max_age: '0' })
  })
})

describe('a client wishes how strongly she signs in', () => {
  const wish = (...acrValues: string[]) => ({ request: { acrValues } })
  const acr = (value: object) => JSON.stringify({ id_token: value })
  test.each([
    { of: 'what it lists', configuration: { acrValues: ['loa1', 'loa2'] }, wishes: ['loa2'], asked: { acr_values: 'loa2 loa1' } },
    { of: 'several factors', configuration: {}, wishes: ['multi_factor'], asked: { acr_values: 'https://refeds.org/profile/mfa' } },
    {
      of: 'one that takes a claim alone',
      configuration: { stepUpAsk: 'claims_acr', stepUpAcr: 'silver gold', acrValues: ['loa1'] },
      wishes: ['gold'],
      asked: { acr_values: 'loa1', claims: acr({ acr: { values: ['gold'] } }) },
    },
    {
      of: 'Entra',
      configuration: { stepUpAsk: 'claims_acrs', stepUpAcr: 'c1' },
      wishes: ['phr'],
      asked: { claims: acr({ acrs: { essential: true, value: 'c1' } }) },
    },
  ])('$of', async ({ configuration, wishes, asked }) => {
    expect(await parametersOf(configuration, wish(...wishes))).toMatchObject(asked)
  })
  test.each([
    { of: 'what nobody listed', configuration: {}, wishes: ['gold', 'x y'] },
    { of: 'one that knows no step-up', configuration: { stepUpAcr: null }, wishes: ['multi_factor'] },
  ])('and nothing is asked for: $of', async ({ configuration, wishes }) => {
    const asked = await parametersOf(configuration, wish(...wishes))
    expect([asked['acr_values'], asked['claims'], asked['prompt']]).toEqual([undefined, undefined, undefined])
  })
  test('an answer with less is believed as it is, and one that has the context says so', async () => {
    const entra = { configuration: { stepUpAsk: 'claims_acrs', stepUpAcr: 'c1' }, ...wish('multi_factor') }
    const said = async (acrs: unknown) => {
      const { verdict } = await logIn({ ...entra, op: { claims: acrs === undefined ? {} : { acrs } } })
      return verdict.ok && verdict.value.kind === 'oidc' ? verdict.value.acr : verdict
    }
    expect([await said(undefined), await said(['c2']), await said(['c2', 'c1'])]).toEqual([undefined, undefined, 'c1'])
  })
})

describe('a step-up', () => {
  test.each([
    { of: 'by acr_values', configuration: { acrValues: ['loa1'] }, asked: { acr_values: 'https://refeds.org/profile/mfa' } },
    {
      of: 'by an essential claim, which Keycloak does not take for a wish',
      configuration: { stepUpAsk: 'claims_acr', stepUpAcr: 'silver gold' },
      asked: { claims: '{"id_token":{"acr":{"essential":true,"values":["silver","gold"]}}}' },
    },
    {
      of: 'by an authentication context of Entra',
      configuration: { stepUpAsk: 'claims_acrs', stepUpAcr: 'c1' },
      asked: { claims: '{"id_token":{"acrs":{"essential":true,"value":"c1"}}}' },
    },
    {
      of: 'by an essential claim, beside the wish that every login sends',
      configuration: { stepUpAsk: 'claims_acr', stepUpAcr: 'gold', acrValues: ['loa1', 'loa2'] },
      asked: { acr_values: 'loa1 loa2', claims: '{"id_token":{"acr":{"essential":true,"values":["gold"]}}}' },
    },
    {
      of: 'by an authentication context of Entra, beside the wish that every login sends',
      configuration: { stepUpAsk: 'claims_acrs', stepUpAcr: 'c1', acrValues: ['loa1'] },
      asked: { acr_values: 'loa1', claims: '{"id_token":{"acrs":{"essential":true,"value":"c1"}}}' },
    },
  ])('$of', async ({ configuration, asked }) => {
    expect(await parametersOf(configuration, stepUp)).toMatchObject(asked)
  })
  test.each([
    { claims: { acrs: ['c1', 'c2'] }, ok: true },
    { claims: { acrs: 'c1' }, ok: true },
    { claims: { acrs: ['c2'] }, ok: false },
    { claims: {}, ok: false },
    { claims: { acr: 'c1' }, ok: false },
  ])('of Entra is believed=$ok from $claims', async ({ claims, ok }) => {
    const { verdict } = await logIn({ op: { claims }, configuration: { stepUpAsk: 'claims_acrs', stepUpAcr: 'c1' }, ...stepUp })
    expect(verdict).toMatchObject(ok ? { ok, value: { acr: 'c1' } } : { ok, error: { reason: 'oidc_step_up_unmet' } })
  })
  test('that was answered with less than was essential is refused', async () => {
    const configuration = { stepUpAsk: 'claims_acr', stepUpAcr: 'gold' }
    expect((await logIn({ op: { claims: { acr: '1' } }, configuration, ...stepUp })).verdict).toMatchObject({
      error: { reason: 'oidc_step_up_unmet' },
    })
    expect((await logIn({ op: { claims: { acr: 'gold' } }, configuration, ...stepUp })).verdict).toMatchObject({
      ok: true,
      value: { acr: 'gold' },
    })
    expect((await logIn({ op: { claims: { acr: '1' } }, configuration })).verdict.ok).toBe(true)
  })
  test('acrs nobody asked for are no proof of anything', async () => {
    const { verdict } = await logIn({ op: { claims: { acrs: ['c1'] } }, configuration: { stepUpAsk: 'claims_acrs', stepUpAcr: 'c1' } })
    expect(verdict).toMatchObject({ ok: true, value: { acr: undefined } })
  })
})

describe('what is configured is added', () => {
  test('hints of the vendors', async () => {
    const parameters = { domain_hint: 'globex.example', whr: 'https://globex.example/adfs', kc_idp_hint: 'corp' }
    expect(await parametersOf({ parameters, acrValues: ['Single_Factor', 'MFA'] })).toMatchObject({
      ...parameters,
      acr_values: 'Single_Factor MFA',
    })
  })
  test('the hosted domain, or that it must be one, unless the admin names the one to ask for', async () => {
    expect(await parametersOf({ hostedDomains: ['globex.example'] })).toMatchObject({ hd: 'globex.example' })
    expect(await parametersOf({ hostedDomains: ['globex.example', 'globex.test'] })).toMatchObject({ hd: '*' })
    const chosen = { hostedDomains: ['globex.example', 'globex.test'], parameters: { hd: 'globex.test' } }
    expect(await parametersOf(chosen)).toMatchObject({ hd: 'globex.test' })
  })
  test.each([
    'state',
    'nonce',
    'redirect_uri',
    'response_type',
    'client_id',
    'scope',
    'code_challenge',
    'claims',
    'request',
    'request_uri',
  ])('but never %s, which is the protocol’s', (name) => {
    expect(() => aConnector({ configuration: { parameters: { [name]: 'x' } } })).toThrow('connection_configuration_invalid')
  })
  test.each([
    { configuration: { stepUpAsk: 'claims_acrs' } },
    { configuration: { stepUpAsk: 'claims_acrs', stepUpAcr: 'c100' } },
    { configuration: { stepUpAsk: 'claims_acr', stepUpAcr: null } },
    { configuration: { freshnessEvidence: 'issued_at_after_prompt', promptOnForce: null } },
  ])('and not what makes no sense: $configuration', ({ configuration }) => {
    expect(() => aConnector({ configuration })).toThrow('connection_configuration_invalid')
  })
})
