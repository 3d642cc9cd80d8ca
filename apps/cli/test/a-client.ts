/** An MCP client by hand, so that each message can be made wrong; and a person who signs in for it. */
import { createHash, randomBytes } from 'node:crypto'
import { type Browser, openBrowser, type Page } from '@drawbridge/simulator/browser'

export const redirectUri = 'http://127.0.0.1:4499/callback'
export const webRedirectUri = 'https://agent.example/callback'

export type Attempt = {
  readonly url: string
  readonly verifier: string
  readonly state: string
  readonly clientId: string
  readonly resource: string
  readonly redirectUri: string
}
export type Ask = {
  readonly issuer: string
  readonly clientId: string
  readonly resource: string
  readonly scope?: string
  readonly redirectUri?: string
  /** Parameters in place of the good ones; undefined leaves one out. */
  readonly change?: Readonly<Record<string, string | undefined>>
}
export type Answered = { readonly status: number; readonly json: Record<string, unknown> }

export function anAttempt(ask: Ask): Attempt {
  const verifier = randomBytes(32).toString('base64url')
  const state = randomBytes(16).toString('base64url')
  const back = ask.redirectUri ?? redirectUri
  const query: Record<string, string | undefined> = {
    response_type: 'code',
    client_id: ask.clientId,
    redirect_uri: back,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    resource: ask.resource,
    scope: ask.scope ?? 'documents:read',
    state,
    ...ask.change,
  }
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const url = `${ask.issuer}/authorize?${new URLSearchParams(given)}`
  return { url, verifier, state, clientId: ask.clientId, resource: ask.resource, redirectUri: back }
}

export async function registerAt(issuer: string, over: object = {}): Promise<string> {
  const body = { client_name: 'Test agent', redirect_uris: [redirectUri], grant_types: ['authorization_code', 'refresh_token'], ...over }
  const response = await fetch(`${issuer}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token_endpoint_auth_method: 'none', application_type: 'native', ...body }),
  })
  const { client_id } = (await response.json()) as { client_id?: string }
  if (client_id === undefined) throw new Error(`registration was answered ${response.status}`)
  return client_id
}

export const post = async (
  url: string,
  form: Readonly<Record<string, string>>,
  headers: Record<string, string> = {},
): Promise<Answered> => {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form), headers })
  return { status: response.status, json: (await response.json()) as Record<string, unknown> }
}

/** `at`: the base under which the token endpoint is asked, where it is not the one of the issuer. */
export function redeem(attempt: Attempt, back: Page, at: string): Promise<Answered> {
  return post(`${at}/token`, {
    grant_type: 'authorization_code',
    code: answerOf(back)['code'] ?? '',
    redirect_uri: attempt.redirectUri,
    client_id: attempt.clientId,
    code_verifier: attempt.verifier,
    resource: attempt.resource,
  })
}

export const refreshAt = (at: string, clientId: string, refreshToken: unknown): Promise<Answered> =>
  post(`${at}/token`, { grant_type: 'refresh_token', refresh_token: String(refreshToken), client_id: clientId })

/** What came back to the client. */
export const answerOf = (page: Page): Record<string, string> => Object.fromEntries(new URL(page.url).searchParams)

export const aBrowser = (): Browser => openBrowser({ stopAt: [redirectUri, webRedirectUri] })

export type Person = {
  readonly name: string
  readonly withMfa?: boolean
  readonly atConsent?: 'allow' | 'deny' | 'wait'
  readonly company?: string
  /** What she says at the front where she works; her address at the company, where nothing is said. */
  readonly organisation?: string
}
export type Walked = {
  readonly page: Page
  readonly seen: readonly ('whose' | 'notice' | 'sign-in' | 'sign-in with MFA asked' | 'consent')[]
}

const mostPages = 8

/** Goes on from a page, as the person would, until nothing is left that she could press. */
export async function walk(first: Page, person: Person): Promise<Walked> {
  const seen: Walked['seen'][number][] = []
  let page = first
  for (let steps = 0; steps < mostPages && !page.isStopped; steps++) {
    const can = (what: string) =>
      page.forms.some(({ id, controls }) => id === what || controls.some((c) => `${c.name}=${c.value}` === what))
    if (page.text.includes('Where do you work?')) {
      seen.push('whose')
      page = await page
        .form('organisation')
        .submit({ organisation: person.organisation ?? `${person.name}@${person.company ?? 'acme'}.example` })
    } else if (can('answer=continue')) {
      seen.push('notice')
      page = await page.form('answer=continue').submit({ answer: 'continue' })
    } else if (can(`sign-in-${person.name}`)) {
      seen.push(page.text.includes('with a second factor') ? 'sign-in with MFA asked' : 'sign-in')
      page = await page.form(`sign-in-${person.name}`).submit({ mfa: person.withMfa === false ? 'no' : 'yes' })
    } else if (can('answer=allow')) {
      seen.push('consent')
      if (person.atConsent === 'wait') return { page, seen }
      page = await page.form('answer=allow').submit({ answer: person.atConsent ?? 'allow' })
    } else return { page, seen }
  }
  return { page, seen }
}

/** From the authorization request to wherever it ends. */
export const logIn = async (attempt: Attempt, person: Person, browser: Browser = aBrowser()): Promise<Walked> =>
  walk(await browser.open(attempt.url), person)
