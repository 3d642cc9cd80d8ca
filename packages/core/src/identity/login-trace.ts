/**
 * The trace of a login that failed: how far it came, which rule refused, and what the IdP's answer held without anything that could be used.
 *
 * A trace is written where a login fails and nowhere else: what is believed is in the audit trail. It is found by a short code that the
 * person is shown; the code opens nothing, and only an admin's key reads what is behind it. security.md §17
 */
import { z } from 'zod'
import { parseReadableCode, readableCodeOf, showReadableCode } from '../readable-code.js'

/** In the order of a login. `admission`: replays, barriers, the directory and who may come in. */
export const loginStages = ['start', 'message', 'answer', 'signature', 'rules', 'mapping', 'admission', 'policy'] as const
export type LoginStage = (typeof loginStages)[number]

/** `not_judged`: an earlier rule had refused on words that nobody had to prove. */
export type StageVerdict = 'passed' | 'refused' | 'not_judged' | 'not_reached'
export type TraceStep = { readonly stage: LoginStage; readonly verdict: StageVerdict }

/** What became of it. `unavailable`: the IdP was never asked; `denied`: the person signed in, and policy said no. */
export const failedOutcomes = ['unavailable', 'refused', 'denied'] as const
export type FailedOutcome = (typeof failedOutcomes)[number]

export const traceLimits = {
  keptSeconds: 7 * 86_400,
  /** Traces of one connection and hour where the IdP was proven to have spoken. What comes beyond is counted. */
  provenPerHour: 200,
  /** Of one reason among these: a person who fails in one way all day hides nobody else's failures. */
  provenPerReason: 100,
  /** Where nobody was proven to be anybody, so that a stranger can fill nothing. */
  unprovenPerHour: 60,
  /** Of one reason among these: a stranger who sends one kind of rubbish does not hide the others. */
  unprovenPerReason: 15,
  /** Of one trace among these, before it is sealed: how a larger answer looked is left out. Those of honest IdPs take a few thousand. */
  unprovenOctets: 8_192,
} as const

/** A refusal that needed no proof may stand before the signature was looked at: the trace does not say that it held. */
export function stepsOf(refusedAt: LoginStage, isProven: boolean): readonly TraceStep[] {
  const at = loginStages.indexOf(refusedAt)
  return loginStages.map((stage, index) => {
    if (index === at) return { stage, verdict: 'refused' }
    if (index > at) return { stage, verdict: 'not_reached' }
    return { stage, verdict: stage === 'signature' && !isProven ? 'not_judged' : 'passed' }
  })
}

/** Of five bits each. */
export const traceCodeLength = 8

export const traceCodeOf = (octets: Uint8Array): string => readableCodeOf(octets, traceCodeLength)
export const showTraceCode = showReadableCode
export const parseTraceCode = (text: string): string | undefined => parseReadableCode(text, traceCodeLength)

/** What of a personal value a trace keeps: enough to tell an address from a number, and a wrong one from an empty one. */
export function redactedValue(value: string): string {
  const characters = Array.from(value)
  return value === '' ? '(empty)' : `${characters[0]}… (${characters.length} characters)`
}

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()])
const contents = z.strictObject({
  stage: z.enum(loginStages),
  protocol: z.enum(['saml', 'oidc']),
  requestId: z.string(),
  /** Of the refusal: words and numbers of ours. */
  detail: z.record(z.string(), scalar),
  /** What the IdP's answer held: `answer-outline` of upstream. */
  answer: z.unknown().optional(),
  claimNames: z.array(z.string()).optional(),
  /** Only where the tenant opted in. */
  identity: z.unknown().optional(),
  explanation: z.unknown().optional(),
})
/** What is sealed. */
export type TraceContents = z.infer<typeof contents>

export const traceContentsToText = (value: TraceContents): string => JSON.stringify(value)

/** `undefined`: written by a version that we do not understand. */
export function traceContentsFromText(text: string): TraceContents | undefined {
  const parsed = contents.safeParse(JSON.parse(text))
  return parsed.success ? parsed.data : undefined
}
