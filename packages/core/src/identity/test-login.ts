/**
 * A test login: the whole chain of a login, run by an admin in her own browser, that opens nothing. What it is judged against, and what was found.
 *
 * The result holds what her own login says of her, so it is sealed and lives an hour. security.md §17
 */
import { z } from 'zod'
import { enrolmentProofs, factorKinds } from '../factor/second-factor.js'
import { type LoginStage, loginStages, type TraceStep } from './login-trace.js'

/** Of the token in the one-time URL. */
export const testLoginTokenPrefix = 'dbl_'

/** `admitted`: she would come in, and no policy was asked. */
export const testOutcomes = ['unavailable', 'refused', 'not_admitted', 'admitted', 'denied', 'step_up', 'own_factor', 'allowed'] as const
export type TestOutcome = (typeof testOutcomes)[number]

/** As the person who ran it reads it. */
export const testOutcomeWords: Readonly<Record<TestOutcome, string>> = {
  unavailable: 'The sign-in page of your company could not be reached.',
  refused: 'A login like this one would be refused: the answer does not say who you are in the form that was agreed.',
  not_admitted: 'Your sign-in is right, and you would still not be let in.',
  admitted: 'You would be let in. No policy was asked, because the test names no client.',
  denied: 'You would be let in, and the policy would give this application nothing.',
  step_up: 'You would be sent back once, for a second factor.',
  own_factor: 'You would be asked for a second factor here.',
  allowed: 'You would be let in, and this application would get access.',
}

export const mostScopesAsked = 100

/** Whom the login is for, and by which policy: client and resource, or neither. */
export const testLoginAsked = z.strictObject({
  clientId: z.string().max(2048).optional().describe('Judged for this client; without it only who would come in is judged'),
  resource: z.string().max(2048).optional().describe('Identifier of the resource that the client asks for'),
  scopes: z
    .array(z.string().min(1).max(200))
    .max(mostScopesAsked)
    .default([])
    .describe('What the client asks for; none: the defaults of the resource'),
  policyVersion: z.int().min(0).optional().describe('A published version in place of the one that holds; 0: the safe default'),
  policyDocument: z.string().min(1).max(65_536).optional().describe('A draft in place of what is published'),
  loginHint: z.string().min(1).max(320).optional().describe('Told to the IdP, where the connection sends it'),
  secondFactor: z.boolean().default(false).describe('Demand a second factor of the IdP, as a login does that is sent back for one'),
})
export type TestLoginAsked = z.infer<typeof testLoginAsked>

const step = z.strictObject({ stage: z.enum(loginStages), verdict: z.enum(['passed', 'refused', 'not_judged', 'not_reached']) })
/** What was found, stage by stage; null: it did not come so far. */
export const testLoginFound = z.strictObject({
  requestId: z.string(),
  steps: z.array(step),
  failure: z.strictObject({ reason: z.string(), detail: z.record(z.string(), z.unknown()) }).nullable(),
  /** What the IdP sent: names and values, without anything that could be used. */
  answer: z.record(z.string(), z.unknown()).nullable(),
  identity: z
    .strictObject({
      stableId: z.string(),
      claims: z.array(z.tuple([z.string(), z.unknown()])),
      groups: z.record(z.string(), z.unknown()),
      authentication: z.record(z.string(), z.unknown()),
      sessionExpiresAt: z.number().nullable(),
    })
    .nullable(),
  admission: z
    .strictObject({
      comesIn: z.boolean(),
      reason: z.string().nullable(),
      mode: z.string(),
      isKnown: z.boolean(),
      /** When her directory ends her access; null: it does not say. */
      endsAt: z.number().nullable().default(null),
    })
    .nullable(),
  /** How strong the sign-in counts by the policy that was asked. */
  strength: z.string().nullable(),
  decision: z.record(z.string(), z.unknown()).nullable(),
  /** What a factor of ours would make of it; null: none would be asked for, or would help. Absent: from before it was judged. */
  ownFactor: z
    .strictObject({
      /** `after_idp`: only once the IdP has been asked in vain. */
      asked: z.enum(['at_once', 'after_idp']),
      step: z.enum(['challenge', 'enrol']),
      /** Of those that would help: what she has, or what she would enrol. */
      kinds: z.array(z.enum(factorKinds)),
      /** What would have to permit an enrolment; null: she has one. */
      permittedBy: z.enum(enrolmentProofs).nullable(),
      /** False: what she would enrol helps from the next request on. */
      helpsAtOnce: z.boolean(),
      /** What policy would say with it. */
      decision: z.record(z.string(), z.unknown()),
    })
    .nullable()
    .default(null),
})
export type TestLoginFound = z.infer<typeof testLoginFound>
export type OwnFactorOfTest = NonNullable<TestLoginFound['ownFactor']>

/** All that passed until here; `reached` is the last stage that was judged. */
export const passedSteps = (reached: LoginStage): TraceStep[] =>
  loginStages.map((stage, index) => ({ stage, verdict: index <= loginStages.indexOf(reached) ? 'passed' : 'not_reached' }))
