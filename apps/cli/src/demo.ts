/** `drawbridge demo`: the story end to end against the running product, or one that it starts; ends with 200 → 401 and the milliseconds. */
import { systemRandom } from '@drawbridge/crypto/random'
import type { Settings } from '@drawbridge/runtime/env'
import { silentLog } from '@drawbridge/runtime/log'
import { stopInOrder } from '@drawbridge/runtime/shutdown'
import { callTool, discover, logIn, refresh, register } from './demo-client.js'
import { exampleUrl } from './example-server.js'
import type { Choice } from './scripted-browser.js'
import { startEverything } from './start.js'

/** Whoever is deactivated in the story; reinstated at its end, so that it can be told again. */
const person = 'lena'
const killTimeoutMs = 10_000
const pollMs = 5

export type DemoResult = { readonly killedAfterMs: number }

export async function runDemo(settings: Settings): Promise<number> {
  const isRunning = await isReady(settings.publicUrl)
  const own = isRunning ? undefined : await startEverything(settings)
  try {
    const { killedAfterMs } = await tellStory(settings, (text) => console.log(text))
    console.log(`\n  200 → 401 in ${killedAfterMs.toFixed(0)} ms`)
    return 0
  } finally {
    await stopInOrder(own?.parts ?? [], silentLog())
  }
}

/** Throws where the product does not keep its word. */
export async function tellStory(settings: Settings, print: (text: string) => void): Promise<DemoResult> {
  const server = exampleUrl(settings.exampleServerPort)
  const company = `http://127.0.0.1:${settings.simulatorPort}/acme`
  let step = 0
  const say = (did: string, proves: string) => print(`  ${String(++step).padStart(2)}. ${did}\n      proves: ${proves}`)
  await setActive(company, true)
  say(`${person} is in the directory: SCIM, from the simulator`, 'provisioning and sign-in meet in one subject')
  const discovered = await discover(server, 'acme')
  say(`A call without a token: 401, and the way to ${discovered.issuer}`, 'RFC 9728 and RFC 8414 discovery')
  const clientId = await register(discovered)
  say(`The client registers itself as ${clientId}`, 'RFC 7591')
  const scope = 'documents:read documents:write'
  const { tokens, pages } = await logIn(
    systemRandom(),
    discovered,
    { clientId, resource: server, scope, loginHint: `${person}@acme.example` },
    choices,
  )
  for (const page of pages) say(page, 'a step of the login in a browser')
  say(
    `Tokens: scopes "${tokens.scope}", ${tokens.expiresInSeconds} s`,
    'SAML groups became scopes by the policy of acme, bound to the MCP server',
  )
  const first = await callTool(server, tokens.accessToken)
  if (first.status !== 200) throw new Error(`the tool call was answered ${first.status}: ${first.body}`)
  say('The tool answers: 200', 'signature, issuer, audience, expiry and scope hold')
  const killedAfterMs = await kill(company, server, tokens.accessToken)
  say(`IT deactivates ${person}; the same token: 401`, 'the notice reached the guard long before the token would have expired')
  const refused = tokens.refreshToken === undefined ? undefined : await refresh(discovered, clientId, tokens.refreshToken)
  if (refused === 200) throw new Error('a refresh went through after the kill')
  say(`The refresh token: ${refused ?? 'there was none'}`, 'the barrier is read where tokens are made')
  await setActive(company, true)
  say(`${person} is reinstated for the next telling`, 'nothing that died comes back')
  if ((await callTool(server, tokens.accessToken)).status === 200) throw new Error('the dead token came back to life')
  return { killedAfterMs }
}

/** From the SCIM call to the first 401. */
async function kill(company: string, server: string, accessToken: string): Promise<number> {
  const begun = performance.now()
  await setActive(company, false)
  for (;;) {
    const { status } = await callTool(server, accessToken)
    const elapsedMs = performance.now() - begun
    if (status === 401) return elapsedMs
    if (elapsedMs > killTimeoutMs) throw new Error(`the token still works ${killTimeoutMs} ms after the deactivation (${status})`)
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}

const choices: readonly Choice[] = [
  {
    when: (html) => html.includes('name="SAMLResponse"'),
    button: undefined,
    say: 'The IdP sends the browser back with a signed SAML response',
  },
  {
    when: (html) => html.includes(`sign-in-${person}`),
    form: new RegExp(`id="sign-in-${person}"`),
    button: { name: 'mfa', value: 'yes' },
    say: `${person} signs in at her company, with a second factor`,
  },
  {
    when: (html) => html.includes('value="continue"'),
    button: { name: 'answer', value: 'continue' },
    say: 'Gate one: an unknown client is announced before the login',
  },
  {
    when: (html) => html.includes('value="allow"'),
    button: { name: 'answer', value: 'allow' },
    say: 'Gate two: consent to the scopes that policy grants',
  },
]

/** The buttons on the simulator's page. */
async function setActive(company: string, active: boolean): Promise<void> {
  if (active) await press(`${company}/scim/provision`, {})
  await press(`${company}/scim/active`, { person, active: String(active) })
}

async function press(url: string, form: Readonly<Record<string, string>>): Promise<void> {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' })
  if (response.status >= 400) throw new Error(`the simulator answered ${response.status} at ${url}`)
}

async function isReady(publicUrl: string): Promise<boolean> {
  try {
    return (await fetch(`${publicUrl}/readyz`)).ok
  } catch {
    return false
  }
}
