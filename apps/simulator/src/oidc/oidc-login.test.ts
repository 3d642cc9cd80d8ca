/** The OpenID provider against openid-client, a relying party that nobody here wrote. */

import * as client from 'openid-client'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { openBrowser } from '../browser.js'
import type { FaultId } from '../faults.js'
import { createSimulator, type Simulator } from '../simulator.js'

const redirectUri = 'http://127.0.0.1:9/t/globex/oidc/c1/callback'

let simulator: Simulator
let movedSeconds = 0

beforeAll(async () => {
  const now = () => new Date(Date.now() + movedSeconds * 1000)
  simulator = createSimulator({ port: 0, now, broker: { globex: { oidcRedirectUri: redirectUri } } })
  await simulator.start()
})
afterAll(() => simulator.close())

async function relyingParty(): Promise<client.Configuration> {
  const { clientId, clientSecret } = simulator.oidcClient('globex')
  const issuer = new URL(simulator.oidcIssuer('globex'))
  const config = await client.discovery(
    issuer,
    clientId,
    { [client.clockTolerance]: 5, [client.clockSkew]: movedSeconds },
    client.ClientSecretBasic(clientSecret),
    {
      execute: [client.allowInsecureRequests],
    },
  )
  client.enableNonRepudiationChecks(config)
  return config
}

async function signIn(
  name: string,
  mfa: 'yes' | 'no' = 'yes',
  extra: Record<string, string> = {},
  browser = openBrowser({ stopAt: redirectUri }),
) {
  const config = await relyingParty()
  const verifier = client.randomPKCECodeVerifier()
  const expected = { expectedState: client.randomState(), expectedNonce: client.randomNonce() }
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: 'openid profile email groups',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state: expected.expectedState,
    nonce: expected.expectedNonce,
    ...extra,
  })
  const asked = await browser.open(url.href)
  const back = asked.isStopped ? asked : await asked.form(`sign-in-${name}`).submit({ mfa })
  expect(back.isStopped).toBe(true)
  const tokens = await client.authorizationCodeGrant(config, new URL(back.url), {
    pkceCodeVerifier: verifier,
    ...expected,
    idTokenExpected: true,
  })
  const claims = tokens.claims() ?? {}
  return {
    claims: claims as Record<string, unknown>,
    userinfo: await client.fetchUserInfo(config, tokens.access_token, client.skipSubjectCheck),
  }
}

describe('without a fault card', () => {
  it('passes a code flow with PKCE and nonce', async () => {
    const { claims, userinfo } = await signIn('ada')
    expect(claims).toMatchObject({
      sub: 'globex-ada',
      email: 'ada@globex.example',
      groups: ['engineering', 'staff'],
      acr: 'https://refeds.org/profile/mfa',
    })
    expect(claims['amr']).toContain('mfa')
    expect(claims['auth_time']).toEqual(expect.any(Number))
    expect(userinfo['groups']).toEqual(['engineering', 'staff'])
  })

  it('states MFA only of who has it, by the value asked for', async () => {
    expect((await signIn('ada', 'yes', { acr_values: 'urn:okta:loa:2fa:any' })).claims['acr']).toBe('urn:okta:loa:2fa:any')
    expect((await signIn('ada', 'no')).claims['amr']).toEqual(['pwd'])
    expect((await signIn('clark', 'yes', { acr_values: 'mfa' })).claims['amr']).toEqual(['pwd'])
  })

  it('asks each time who is there, even in the same browser', async () => {
    const browser = openBrowser({ stopAt: redirectUri })
    expect((await signIn('ada', 'yes', {}, browser)).claims['sub']).toBe('globex-ada')
    expect((await signIn('clark', 'no', {}, browser)).claims['sub']).toBe('globex-clark')
  })

  it('leaves the groups of nora out and gives max all of his', async () => {
    expect((await signIn('nora')).claims).not.toHaveProperty('groups')
    expect((await signIn('max')).claims['groups']).toHaveLength(250)
  })

  it('lives by the clock that it was given', async () => {
    movedSeconds = 7200
    const { claims } = await signIn('ada').finally(() => (movedSeconds = 0))
    expect(claims['iat']).toBeGreaterThan(Date.now() / 1000 + 7100)
  })

  it('refuses a redirect URI that is not registered with a page', async () => {
    const { clientId } = simulator.oidcClient('globex')
    const page = await openBrowser().open(
      `${simulator.oidcIssuer('globex')}/auth?client_id=${clientId}&response_type=code&scope=openid&redirect_uri=http://127.0.0.1:9/other`,
    )
    expect(page.status).toBe(400)
    expect(page.text).toContain('redirect_uri')
    expect(page.text).toContain('development tool'.replace('d', 'D'))
  })
})

describe('under a fault card', () => {
  test.each([
    { fault: 'expired-certificate' },
    { fault: 'wrong-audience' },
    { fault: 'unsigned' },
    { fault: 'signature-wrapping' },
    { fault: 'replay' },
    { fault: 'clock-skew' },
  ] satisfies readonly { fault: FaultId }[])('$fault is refused, and the next login is good again', async ({ fault }) => {
    await signIn('ada')
    simulator.armFault('globex', fault)
    await expect(signIn('ada')).rejects.toMatchObject({
      name: expect.stringMatching(/ClientError|OperationProcessingError|Error/),
      code: expect.stringMatching(/^OAUTH_/),
    })
    await expect(signIn('ada')).resolves.toBeDefined()
  })

  it('missing groups, overage and no MFA are well-signed and say less', async () => {
    simulator.armFault('globex', 'missing-groups')
    const missing = await signIn('ada')
    expect(missing.claims).not.toHaveProperty('groups')
    expect(missing.userinfo).not.toHaveProperty('groups')
    simulator.armFault('globex', 'groups-overage')
    expect((await signIn('max')).claims).toMatchObject({ _claim_names: { groups: 'src1' } })
    simulator.armFault('globex', 'no-mfa')
    expect((await signIn('ada')).claims['amr']).toEqual(['pwd'])
  })
})

it('signs a hinted person in without asking in lab mode, and asks when the hint names nobody', async () => {
  const lab = createSimulator({ port: 0, signInWithoutAsking: true, broker: { globex: { oidcRedirectUri: redirectUri } } })
  await lab.start()
  const usual = simulator
  simulator = lab
  try {
    expect((await signIn('', 'no', { login_hint: 'ada@globex.example', acr_values: 'mfa' })).claims['acr']).toBe('mfa')
    expect((await signIn('clark', 'no', { login_hint: 'stranger' })).claims['sub']).toBe('globex-clark')
  } finally {
    simulator = usual
    await lab.close()
  }
})
