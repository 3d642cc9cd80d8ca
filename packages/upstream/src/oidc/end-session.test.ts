import { ok } from '@drawbridge/core/result'
import type { Secret } from '@drawbridge/core/secret'
import { describe, expect, test } from 'vitest'
import { endSessionLimits } from './end-session.js'
import { aConnector, goThrough, issuer, type Login, logIn, now } from './fixtures/a-provider.js'

const endSession = 'https://idp.globex.example/bye?realm=globex'
const offering: Login = { op: { discovery: { end_session_endpoint: endSession } } }
const returnUrl = 'https://broker.example/t/globex/logout/done'
const idpSession = { sessionIndex: undefined, nameId: undefined, sid: 's1', subject: { issuer, sub: 'ada' } }

async function hintOf(login: Login): Promise<Secret | undefined> {
  const { verdict } = await logIn(login)
  return verdict.ok && 'logoutHint' in verdict.value ? verdict.value.logoutHint : undefined
}
const leave = (login: Login, hint: Secret | undefined) =>
  aConnector(login).connector.startLogout({ returnUrl, relayState: 'handle', idpSession, hint, now })

async function queryOf(login: Login, hint: Secret | undefined): Promise<Record<string, string>> {
  const left = await leave(login, hint)
  if (!left.ok || left.value === 'not_offered' || left.value.answer.kind !== 'redirect') throw new Error('no redirect')
  const url = new URL(left.value.answer.url)
  expect(url.origin + url.pathname).toBe('https://idp.globex.example/bye')
  return Object.fromEntries(url.searchParams)
}

const always = { realm: 'globex', client_id: 'drawbridge', post_logout_redirect_uri: returnUrl, state: 'handle' }

describe('the way to the sign-out of the provider', () => {
  test('shows it the ID token that it gave us', async () => {
    const hint = await hintOf(offering)
    expect(hint?.reveal().split('.')).toHaveLength(3)
    expect(await queryOf(offering, hint)).toEqual({ ...always, id_token_hint: hint?.reveal() })
  })
  test('names the person as Entra names her, where the token says how', async () => {
    const hint = await hintOf({ op: { ...offering.op, claims: { login_hint: 'O.CiRh' } } })
    expect(await queryOf(offering, hint)).toEqual({ ...always, id_token_hint: hint?.reveal(), logout_hint: 'O.CiRh' })
  })
  test('asks without a hint where none is kept', async () => {
    expect(await queryOf(offering, undefined)).toEqual(always)
  })
  test('leads to no other issuer than the one that opened the session', async () => {
    const other = { op: { ...offering.op, issuer: 'https://other.example' } }
    expect(await leave(other, await hintOf(offering))).toMatchObject({ ok: false, error: { reason: 'idp_session_of_another' } })
  })
  test('keeps from it the ID token of another issuer', async () => {
    const hint = await hintOf({ op: { ...offering.op, issuer: 'https://other.example' } })
    expect(await queryOf(offering, hint)).toEqual(always)
  })
  test('goes by POST where the address would be too long', async () => {
    const hint = await hintOf({ op: { ...offering.op, claims: { filler: 'x'.repeat(endSessionLimits.urlLength) } } })
    const left = await leave(offering, hint)
    expect(left).toMatchObject({
      ok: true,
      value: { answer: { kind: 'form', action: endSession, fields: { id_token_hint: hint?.reveal() } } },
    })
  })
})

describe('nothing is offered, and no token is kept', () => {
  test.each<{ when: string; login: Login }>([
    { when: 'the provider names no address', login: {} },
    { when: 'its address is no proper one', login: { op: { discovery: { end_session_endpoint: 'http://idp.globex.example/bye' } } } },
    { when: 'the connection does not go there', login: { ...offering, configuration: { logoutUpstream: false } } },
  ])('where $when', async ({ login }) => {
    expect(await hintOf(login)).toBeUndefined()
    expect(await leave(login, undefined)).toEqual(ok('not_offered'))
  })
  test('and none of a length that no address and no form should carry', async () => {
    expect(await hintOf({ op: { ...offering.op, claims: { filler: 'x'.repeat(endSessionLimits.hintLength) } } })).toBeUndefined()
  })
})

describe('the way back', () => {
  const back = async (parameters: Record<string, string>) => {
    const made = aConnector(offering)
    await goThrough(made, offering)
    const left = await made.connector.startLogout({ returnUrl, relayState: 'handle', idpSession, hint: undefined, now })
    if (!left.ok || left.value === 'not_offered') throw new Error('not offered')
    return made.connector.finishLogout({ binding: 'query', parameters: new Map(Object.entries(parameters)) }, { ...left.value, now })
  }
  test('is known by its state', async () => {
    expect(await back({ state: 'handle' })).toEqual(ok('ended'))
  })
  test.each<Record<string, string>>([{}, { state: '' }, { state: 'another' }])('and by nothing else: %j', async (parameters) => {
    expect(await back(parameters)).toMatchObject({ ok: false, error: { reason: 'oidc_state_mismatch' } })
  })
})
