/**
 * Twenty at once, at several brokers on one database: what may happen once happens once, whoever is asked; told once, run on brokers in one process and on
 * processes, at a company's issuer and at the front.
 */
import { generateKeyPairSync } from 'node:crypto'
import { type ADpopKey, aDpopKey } from '@drawbridge/testkit/a-dpop-key'
import { SignJWT } from 'jose'
import { expect, it } from 'vitest'
import { type Answered, type Attempt, anAttempt, answerOf, post, refreshAt, registerAt } from './a-client.js'

const atOnce = 20

export type RacedBrokers = {
  /** As tokens name it; `at`: as each of the brokers serves it. */
  readonly issuer: string
  readonly at: readonly string[]
  readonly resource: string
  /** Signs somebody in whom nothing is asked twice of, and answers with the code. */
  readonly signIn: (attempt: Attempt) => Promise<string>
  /** Of the tenant; `path` begins below it. */
  readonly admin: (method: string, path: string, body?: unknown) => Promise<Answered>
  /** Registers one that acts in its own name and may read; answers with its id, and with what it says beside to get a token. */
  readonly aMachine: (over: object) => Promise<{ readonly id: string; readonly says: Readonly<Record<string, string>> }>
  readonly isActive: (at: string, token: string) => Promise<unknown>
}

/** By their outcome: how many. */
export const kinds = (answers: readonly Answered[]): Record<string, number> => {
  const counted: Record<string, number> = {}
  for (const { status, json } of answers) {
    const kind = `${status} ${String(json['error'] ?? json['token_type'])}`
    counted[kind] = (counted[kind] ?? 0) + 1
  }
  return counted
}
export const twentyAt = (at: readonly string[], ask: (at: string) => Promise<Answered>): Promise<Answered[]> =>
  Promise.all(Array.from({ length: atOnce }, (_, nth) => ask(at[nth % at.length] ?? '')))

export function describeRaces(theBrokers: () => RacedBrokers): void {
  const everywhere = (ask: (at: string) => Promise<Answered>) => twentyAt(theBrokers().at, ask)

  async function aCode() {
    const { issuer, at, resource, signIn } = theBrokers()
    const attempt = anAttempt({ issuer, clientId: await registerAt(at[0] ?? ''), resource })
    return { attempt, code: await signIn(attempt) }
  }
  const redeem = ({ attempt, code }: Awaited<ReturnType<typeof aCode>>, at: string, proof?: string) => {
    const form = { grant_type: 'authorization_code', code, redirect_uri: attempt.redirectUri, client_id: attempt.clientId }
    return post(`${at}/token`, { ...form, code_verifier: attempt.verifier, resource: attempt.resource }, headersOf(proof))
  }
  const liveGrants = async (clientId: string): Promise<number> => {
    const { json } = await theBrokers().admin('GET', `/grants?client=${clientId}`)
    return (json['grants'] as { revokedAt: string | null }[]).filter(({ revokedAt }) => revokedAt === null).length
  }

  it('one code is redeemed once, and what it brought ends because it was shown again (RFC 6749 §4.1.2)', async () => {
    const one = await aCode()
    const answers = await everywhere((at) => redeem(one, at))
    expect(kinds(answers)).toEqual({ '200 Bearer': 1, '400 invalid_grant': atOnce - 1 })
    const tokens = answers.find(({ status }) => status === 200)?.json ?? {}
    for (const at of theBrokers().at) {
      expect(await theBrokers().isActive(at, String(tokens['access_token']))).toBe(false)
      expect(await refreshAt(at, one.attempt.clientId, tokens['refresh_token'])).toMatchObject({
        status: 400,
        json: { error: 'invalid_grant' },
      })
    }
    expect(await liveGrants(one.attempt.clientId)).toBe(0)
  })

  it('one refresh token has one successor, which everybody gets, and the family lives on', async () => {
    const one = await aCode()
    const { at } = theBrokers()
    const { json } = await redeem(one, at[0] ?? '')
    const answers = await everywhere((broker) => refreshAt(broker, one.attempt.clientId, json['refresh_token']))
    expect(kinds(answers)).toEqual({ '200 Bearer': atOnce })
    const successors = [...new Set(answers.map((answer) => answer.json['refresh_token']))]
    expect(successors).toHaveLength(1)
    expect(successors).not.toContain(json['refresh_token'])
    expect(await liveGrants(one.attempt.clientId)).toBe(1)
    expect(await refreshAt(at.at(-1) ?? '', one.attempt.clientId, successors[0])).toMatchObject({ status: 200 })
    expect(await theBrokers().isActive(at[1] ?? '', String(answers[0]?.json['access_token']))).toBe(true)
  })

  it('one assertion of a client is believed once (RFC 7523 §3 jti)', async () => {
    const { issuer, aMachine, resource } = theBrokers()
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const jwks = { keys: [publicKey.export({ format: 'jwk' })] }
    const { id: clientId, says } = await aMachine({ tokenEndpointAuthMethod: 'private_key_jwt', jwks })
    const assertion = await new SignJWT({ jti: 'once' })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(clientId)
      .setSubject(clientId)
      .setAudience(issuer)
      .setExpirationTime('1 minute')
      .sign(privateKey)
    const answers = await everywhere((at) =>
      post(`${at}/token`, {
        grant_type: 'client_credentials',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
        resource,
        ...says,
      }),
    )
    expect(kinds(answers)).toEqual({ '200 Bearer': 1, '401 invalid_client': atOnce - 1 })
  })

  /** A family of a public client, bound to the key (RFC 9449 §5). */
  async function aBoundFamily(key: ADpopKey) {
    const one = await aCode()
    const { json } = await redeem(one, theBrokers().at[0] ?? '', await proofOf(key))
    expect(json).toMatchObject({ token_type: 'DPoP' })
    return { clientId: one.attempt.clientId, refreshToken: String(json['refresh_token']) }
  }
  const proofOf = (key: ADpopKey) => key.prove({ url: `${theBrokers().issuer}/token`, now: Date.now() })
  const refresh = (at: string, family: Awaited<ReturnType<typeof aBoundFamily>>, proof: string | undefined) => {
    const form = { grant_type: 'refresh_token', refresh_token: family.refreshToken, client_id: family.clientId }
    return post(`${at}/token`, form, headersOf(proof))
  }

  it('one proof of a key is believed once, and those who are refused by it cost the family nothing (RFC 9449 §11.1)', async () => {
    const key = await aDpopKey()
    const family = await aBoundFamily(key)
    const proof = await proofOf(key)
    const answers = await everywhere((at) => refresh(at, family, proof))
    expect(kinds(answers)).toEqual({ '200 DPoP': 1, '400 invalid_dpop_proof': atOnce - 1 })
    const next = { ...family, refreshToken: String(answers.find(({ status }) => status === 200)?.json['refresh_token']) }
    for (const at of theBrokers().at) expect(await refresh(at, next, await proofOf(key))).toMatchObject({ status: 200 })
    expect(await liveGrants(family.clientId)).toBe(1)
  })

  it('one family that is bound to a key has one successor for whoever proves it, and for nobody beside them, who does it no harm', async () => {
    const [key, strange] = [await aDpopKey(), await aDpopKey()]
    const family = await aBoundFamily(key)
    let turn = 0
    const answers = await everywhere(async (at) => {
      turn += 1
      const proof = turn % 4 === 0 ? await proofOf(strange) : turn % 4 === 2 ? undefined : await proofOf(key)
      return refresh(at, family, proof)
    })
    expect(kinds(answers)).toEqual({ '200 DPoP': atOnce / 2, '400 invalid_grant': atOnce / 2 })
    const successors = new Set(answers.filter(({ status }) => status === 200).map(({ json }) => json['refresh_token']))
    expect(successors.size).toBe(1)
    const next = { ...family, refreshToken: String([...successors][0]) }
    expect(await refresh(theBrokers().at.at(-1) ?? '', next, await proofOf(key))).toMatchObject({ status: 200 })
    expect(await liveGrants(family.clientId)).toBe(1)
  })
}

const headersOf = (proof: string | undefined): Record<string, string> => (proof === undefined ? {} : { dpop: proof })

/** Of whoever has been signed in: what the browser brought home. */
export const codeIn = (page: Parameters<typeof answerOf>[0]): string => answerOf(page)['code'] ?? ''
