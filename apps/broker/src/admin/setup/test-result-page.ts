/** What a test login found, in the order in which a login is judged: what was sent, what it became, who comes in, and what policy gives and why. */

import { kindWords, proofWords } from '@drawbridge/core/factor/second-factor'
import type { LoginStage, StageVerdict } from '@drawbridge/core/identity/login-trace'
import { testOutcomeWords } from '@drawbridge/core/identity/test-login'
import { z } from 'zod'
import { type Answer, page } from '../../http/answer.js'
import { type Html, html } from '../../http/html.js'
import type { ShownTestLogin } from '../shown-test-login.js'
import type { SetupSession } from './setup-session.js'

type Found = NonNullable<ShownTestLogin['found']>

export function testResultPage({ tenant }: SetupSession, test: ShownTestLogin): Answer {
  const { found, outcome } = test
  const verdict = outcome === null ? 'Nothing has been found yet: the test was not taken on, or is on its way.' : testOutcomeWords[outcome]
  const body = html`<p><strong>${verdict}</strong></p>${whyNot(test)}${found !== null && findings(found)}<p><a href="${tenant.issuer.url}/setup">Back to the set-up page</a></p>`
  return page('What the test found', body, { headers: { 'cache-control': 'no-store' } })
}

const fact = (name: string, value: string | Html | undefined | null): Html | undefined =>
  value === undefined || value === null ? undefined : html`<dt>${name}</dt><dd>${value}</dd>`
const section = (title: string, facts: readonly (Html | undefined)[]): Html =>
  html`<h2>${title}</h2><dl class="stacked">${facts.every((each) => each === undefined) ? fact('Nothing', 'was said') : facts}</dl>`

function whyNot({ found, explanation, differences }: ShownTestLogin): Html | undefined {
  if (!found?.failure) return undefined
  const compared = differences.map(({ what, expected, received }) =>
    fact(what, html`awaited <code>${expected}</code>, came <code>${received.join(', ') || 'nothing'}</code>`),
  )
  const words = explanation && [explanation.cause, explanation.vendor?.remedy ?? explanation.remedy]
  return html`<div role="status">${words?.map((each) => html`<p>${each}</p>`)}${compared.length > 0 && html`<dl class="stacked">${compared}</dl>`}<p class="soft">Cause <code>${found.failure.reason}</code></p></div>`
}

function findings({ steps, answer, identity, admission, strength, decision, ownFactor }: Found): Html {
  const raw = answer === null ? [] : Object.entries(answer).map(([name, value]) => fact(name, tree(value)))
  return html`<h2>Step by step</h2><dl>${steps.map(({ stage, verdict }) => fact(stages[stage], verdicts[verdict]))}</dl>${section('What your identity provider sent', raw)}${identity !== null && claimsOf(identity)}${admission !== null && admissionOf(admission)}${identity !== null && strengthOf(identity, strength)}${decision !== null && decisionOf(decision)}${ownFactor !== null && ownFactorOf(ownFactor)}`
}

const time = (at: unknown): string | undefined => (typeof at === 'number' ? new Date(at).toISOString() : undefined)

const admissionOf = ({ comesIn, reason, isKnown, mode }: NonNullable<Found['admission']>): Html =>
  section('Who comes in', [
    fact('You', comesIn ? 'would be let in' : `would not be let in: ${reason ?? ''}`),
    fact('Known here already', isKnown ? 'yes' : 'no'),
    fact('Who may', mode),
  ])

const strengthOf = ({ authentication }: NonNullable<Found['identity']>, strength: Found['strength']): Html =>
  section('Second factor', [
    fact('Your sign-in counts as', strength ?? 'not judged, because no application was named'),
    fact('Class of the sign-in (acr)', tree(authentication['acr'])),
    fact('Methods (amr)', tree(authentication['amr'])),
    fact('When', time(authentication['authenticatedAt'])),
  ])

const ownFactorOf = ({ asked, step, kinds, permittedBy, helpsAtOnce, decision }: NonNullable<Found['ownFactor']>): Html =>
  html`${section('A second factor of this service', [
    fact('Asked of you', asked === 'at_once' ? 'at once' : 'if your identity provider is asked for one and proves none'),
    fact(
      step === 'challenge' ? 'You would show' : 'You have none that helps, and would add',
      kinds.map((kind) => kindWords[kind]).join(', or '),
    ),
    fact('Which is permitted by', permittedBy && proofWords[permittedBy]),
    fact('It would help', helpsAtOnce ? 'at once' : 'from the next sign-in on'),
  ])}<h2>With it</h2>${decisionOf(decision)}`

const claimsOf = ({ stableId, claims, groups, sessionExpiresAt }: NonNullable<Found['identity']>): Html =>
  section('What it became here', [
    fact('Who you are, for ever', html`<code>${stableId}</code>`),
    ...claims.map(([name, value]) => fact(name, tree(value))),
    fact('Groups', tree(groups['value'] ?? groups['state'])),
    fact('Session ends', time(sessionExpiresAt)),
  ])

const ceiling = z.object({ seconds: z.number(), by: z.string(), detail: z.string() })
/** Of a `PolicyDecision`, as it was sealed; a version that we do not know is shown as it is. */
const decided = z.object({
  kind: z.enum(['allow', 'stepUp', 'deny']),
  accessTokenTtl: ceiling.optional(),
  refreshTokenTtl: ceiling.optional(),
  endsAt: z.number().optional(),
  missing: z.string().optional(),
  explanation: z.object({
    policyVersion: z.number(),
    scopes: z.array(z.object({ scope: z.string(), tier: z.string(), granted: z.boolean(), because: z.string() })),
    notes: z.array(z.string()),
  }),
})

function decisionOf(decision: NonNullable<Found['decision']>): Html {
  const read = decided.safeParse(decision)
  if (!read.success) return section('Policy', [fact('Decision', tree(decision))])
  const { kind, accessTokenTtl, refreshTokenTtl, endsAt, missing, explanation } = read.data
  const limit = (name: string, it: z.output<typeof ceiling> | undefined) =>
    fact(name, it && `${it.seconds} seconds, by ${it.by}: ${it.detail}`)
  const scopes = explanation.scopes.map(({ scope, tier, granted, because }) =>
    fact(scope, html`<span class="tier">${tier}</span> ${granted ? 'granted' : 'not granted'}: ${because}`),
  )
  const none = { seconds: 0, by: 'policy', detail: 'none is given' }
  return html`${section('Limits', [limit('Access token', accessTokenTtl), limit('Refresh token', kind === 'allow' ? (refreshTokenTtl ?? none) : undefined), fact('All ends', time(endsAt)), fact('Missing', missing)])}${section(`Scopes, by version ${explanation.policyVersion} of the policy`, scopes)}${explanation.notes.map((note) => html`<p>${note}</p>`)}`
}

const stages: Readonly<Record<LoginStage, string>> = {
  start: 'Your identity provider was asked',
  message: 'Its message could be read',
  answer: 'It is an answer',
  signature: 'Its signature holds',
  rules: 'The rules of the protocol hold',
  mapping: 'It says who you are',
  admission: 'You come in',
  policy: 'Policy',
}
const verdicts: Readonly<Record<StageVerdict, string>> = {
  passed: 'yes',
  refused: 'no',
  not_judged: 'was not looked at',
  not_reached: 'was not reached',
}

const deepest = 5
const scalarText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** Names and values as they came; lists of names with values, and what is nested, below each other. */
function tree(value: unknown, depth = 0): Html | string {
  if (value === null || value === undefined) return 'nothing'
  if (typeof value !== 'object') return html`<code>${scalarText(value)}</code>`
  if (depth === deepest) return '…'
  const entries = Array.isArray(value) ? value.map((each: unknown) => named(each)) : Object.entries(value)
  if (entries.length === 0) return 'nothing'
  if (entries.every(([name, each]) => name === '' && (typeof each !== 'object' || each === null)))
    return html`<code>${entries.map(([, each]) => scalarText(each)).join(', ')}</code>`
  return html`<dl class="stacked">${entries.map(([name, each]) => html`<dt>${name}</dt><dd>${tree(each, depth + 1)}</dd>`)}</dl>`
}

/** `{name, values}` reads as a name with its values. */
function named(each: unknown): readonly [string, unknown] {
  const { name, values } = (typeof each === 'object' && each !== null ? each : {}) as { readonly name?: unknown; readonly values?: unknown }
  return typeof name === 'string' && values !== undefined ? [name, values] : ['', each]
}
