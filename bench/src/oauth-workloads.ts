/** The hot operations, in an order in which each leaves behind what the next needs: codes become tokens, tokens are revoked. */
import { aGrant, aRedirectUri, aVerifier } from '@drawbridge/testkit/a-grant'
import { type Answered, type Call, connections, loop, type Sender, type Workload } from './closed-loop.js'
import type { Laboratory } from './laboratory.js'
import { byAssertion, bySecret } from './machine-clients.js'

type Tokens = { readonly access_token: string; readonly refresh_token: string }

export const rounds = 5
/** A warm-up lasts until what it runs has been compiled: the first thousands of tokens cost a broker half as much again. */
const fullSizes = {
  document: { warmUp: 2000, perRound: 6000 },
  machine: { warmUp: 4000, perRound: 800 },
  code: { warmUp: 800, perRound: 400 },
  refresh: { warmUp: 2000, perRound: 800 },
  introspect: { warmUp: 1000, perRound: 1500 },
  revoke: { warmUp: 200, perRound: 300 },
} as const
/** Enough to see that everything still runs; its figures mean nothing. */
const trialSize = { warmUp: 16, perRound: 32 }
const trialSizes = {
  document: trialSize,
  machine: trialSize,
  code: trialSize,
  refresh: trialSize,
  introspect: trialSize,
  revoke: { warmUp: 8, perRound: 16 },
}

export const oauthSizes = (isTrial: boolean) => (isTrial ? trialSizes : fullSizes)

export function oauthWorkloads(laboratory: Laboratory, sender: Sender, isTrial: boolean): readonly Workload[] {
  const sizes = oauthSizes(isTrial)
  const { tenant, fixture, platform } = laboratory
  const client_id = tenant.clientId
  const credential = Buffer.from(`${tenant.credentialId}:${tenant.credentialSecret}`).toString('base64')
  const codes: string[] = []
  const tokens: Tokens[] = []
  const lanes: Tokens[] = []

  const redeem = async (code: string): Promise<Tokens> => {
    const form = { grant_type: 'authorization_code', code, redirect_uri: aRedirectUri, code_verifier: aVerifier, client_id }
    return JSON.parse(expectOk(await sender.send(post('token', form)))) as Tokens
  }
  const openGrants = async (count: number): Promise<void> => {
    await loop(
      async () => {
        codes.push((await aGrant(fixture, tenant, { now: platform.clock.now() })).code)
      },
      0,
      count,
    )
  }
  const refresh = async (lane: number): Promise<void> => {
    const { refresh_token } = lanes[lane] as Tokens
    const form = { grant_type: 'refresh_token', refresh_token, client_id }
    lanes[lane] = JSON.parse(expectOk(await sender.send(post('token', form)))) as Tokens
  }

  return [
    {
      name: 'metadata',
      aim: '0.02',
      rounds,
      ...sizes.document,
      run: async () => void expectOk(await sender.send(get('.well-known/oauth-authorization-server'))),
    },
    { name: 'JWKS', aim: '0.02', rounds, ...sizes.document, run: async () => void expectOk(await sender.send(get('jwks'))) },
    {
      name: 'client_credentials, secret',
      aim: '0.18 + 0.10',
      rounds,
      ...sizes.machine,
      run: async () => void expectOk(await sender.send(post('token', bySecret(tenant)))),
    },
    {
      name: 'client_credentials, private_key_jwt',
      aim: '0.40 + 0.12',
      rounds,
      ...sizes.machine,
      run: async () => void expectOk(await sender.send(post('token', byAssertion(tenant, laboratory.issuer, platform.clock.now())))),
    },
    {
      name: 'code redemption',
      aim: 'see last row',
      rounds,
      ...sizes.code,
      prepare: () => openGrants(sizes.code.warmUp + rounds * sizes.code.perRound),
      run: async () => void tokens.push(await redeem(taken(codes))),
    },
    {
      name: 'refresh rotation',
      aim: '0.30 + 0.17',
      rounds,
      ...sizes.refresh,
      prepare: async () => void lanes.push(...tokens.splice(0, connections)),
      run: refresh,
    },
    {
      name: 'introspection',
      aim: '0.25 + 0.10',
      rounds,
      ...sizes.introspect,
      run: async (_lane, turn) => {
        const { access_token } = tokens[turn % tokens.length] as Tokens
        const call = post('introspect', { token: access_token }, { authorization: `Basic ${credential}` })
        if (!expectOk(await sender.send(call)).includes('"active":true')) throw new Error('a living token was called inactive')
      },
    },
    {
      name: 'revocation',
      aim: '0.15 + 0.12',
      rounds,
      ...sizes.revoke,
      run: async () => void expectOk(await sender.send(post('revoke', { token: taken(tokens).refresh_token, client_id }))),
    },
  ]
}

const tenantPath = (path: string): string => `/t/bench/${path}`

const get = (path: string): Call => ({ method: 'GET', path: tenantPath(path) })

const post = (path: string, form: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}): Call => ({
  method: 'POST',
  path: tenantPath(path),
  headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
  body: new URLSearchParams(form).toString(),
})

/** A refused request is cheap: one among the measured would make the figure a lie. */
export function expectOk(answered: Answered): string {
  if (answered.status !== 200) throw new Error(`a measured request was answered ${answered.status}: ${answered.text}`)
  return answered.text
}

export function taken<T>(from: T[]): T {
  const one = from.pop()
  if (one === undefined) throw new Error('the workload was prepared for fewer operations than it runs')
  return one
}
