/** What a dry run answers: per scope granted or not, by which rule, at which line, with which values; demands; ceilings with the one that won. */
import { authenticationStrengths } from '@drawbridge/core/identity/authentication-strength'
import { type Ceiling, ceilingKinds, type PolicyDecision, sensitivityTiers } from '@drawbridge/core/policy/decision'
import type { Considered, FullExplanation } from '@drawbridge/core/policy/explain'
import { leastOf } from '@drawbridge/core/policy/lifetime'
import { z } from 'zod'
import { id, time, timeOrNull, toIso } from './shapes.js'

const strength = z.enum(authenticationStrengths)
const ceiling = z.strictObject({
  seconds: z.number(),
  by: z.enum(ceilingKinds),
  detail: z.string(),
})
const ceilings = z.strictObject({ won: ceiling, all: z.array(ceiling) })
const considered = z.strictObject({
  name: z.string(),
  owner: z.enum(['vendor', 'tenant']).describe('Whose document it is in, and the line is of'),
  line: z.int().nullable(),
  outcome: z.enum(['yes', 'no', 'unclear']).describe('Whether it applies; unclear: nobody can tell, and it counts strictly'),
  because: z.string(),
  values: z.array(z.strictObject({ variable: z.string(), value: z.string() })).describe('What its condition read'),
})
const scope = z.strictObject({
  scope: z.string(),
  tier: z.enum(sensitivityTiers),
  granted: z.boolean(),
  because: z.string(),
  rule: z.string().nullable(),
  line: z.int().nullable(),
  rules: z
    .array(considered.extend({ effect: z.enum(['grant', 'deny']) }))
    .describe('Every rule that covers the scope, whether it applies or not'),
  rulesLeftOut: z.int().describe('How many more rules cover it'),
})

export const shownDryRun = z.strictObject({
  policy: z.strictObject({
    version: z.int().nullable().describe('null: it has none'),
    draft: id.nullable(),
    wallVersion: z.int(),
  }),
  outcome: z.enum(['allow', 'step_up', 'deny']),
  granted: z.array(z.string()),
  missing: z.string().nullable().describe('What is asked for, or is missing; null: nothing'),
  demand: z.enum(['mfa', 'fresh']).nullable().describe('step_up: what the IdP would be asked for'),
  reason: z.string().nullable().describe('deny: why'),
  tier: z.enum(sensitivityTiers).nullable(),
  asksConsentAnew: z.boolean().nullable(),
  endsAt: timeOrNull.describe('Nothing of the grant lives longer, by whatever refresh'),
  at: time.describe('The moment for which it was decided'),
  strength: z.strictObject({ vendor: strength, tenant: strength }).describe('How strong the sign-in counts, by each document'),
  scopes: z.array(scope),
  clientRules: z.array(considered),
  demands: z.array(considered.extend({ strength, missing: z.string().nullable() })),
  ceilings: z
    .strictObject({ access: ceilings, refresh: ceilings.nullable().describe('null: no refresh token at all') })
    .describe('By what would be granted if nothing were missing'),
  valuesLeftOut: z.int().describe('How many more values conditions read; only so many are shown in all'),
  unclear: z.int().describe('Rules that could not be evaluated'),
  notes: z.array(z.string()),
})

export type DryRunOf = { readonly version: number | undefined; readonly draft: string | undefined; readonly wallVersion: number }

const outcomes = { allow: 'allow', stepUp: 'step_up', deny: 'deny' } as const

export function showDryRun(of: DryRunOf, now: Parameters<typeof toIso>[0], found: FullExplanation): z.output<typeof shownDryRun> {
  const { decision, strength: proved, clientRules, demands } = found
  const { notes, unclear } = decision.explanation
  return {
    policy: { version: of.version ?? null, draft: of.draft ?? null, wallVersion: of.wallVersion },
    outcome: outcomes[decision.kind],
    ...showOutcome(decision),
    at: toIso(now),
    strength: { ...proved },
    scopes: found.scopes.map(({ rules, rule, line, ...rest }) => ({
      ...rest,
      rule: rule ?? null,
      line: line ?? null,
      rules: rules.map((each) => ({ ...showConsidered(each), effect: each.effect })),
    })),
    clientRules: clientRules.map(showConsidered),
    demands: demands.map((demand) => ({ ...showConsidered(demand), strength: demand.strength, missing: demand.missing ?? null })),
    ceilings: showCeilings(found.ceilings),
    valuesLeftOut: found.valuesLeftOut,
    unclear,
    notes: [...notes],
  }
}

type ShownOutcome = Pick<z.output<typeof shownDryRun>, 'granted' | 'missing' | 'demand' | 'reason' | 'tier' | 'asksConsentAnew' | 'endsAt'>
const nothingGranted: ShownOutcome = {
  granted: [],
  missing: null,
  demand: null,
  reason: null,
  tier: null,
  asksConsentAnew: null,
  endsAt: null,
}

function showOutcome(decision: PolicyDecision): ShownOutcome {
  if (decision.kind === 'stepUp') return { ...nothingGranted, missing: decision.missing, demand: decision.demand }
  if (decision.kind === 'deny') return { ...nothingGranted, missing: decision.missing, reason: decision.reason }
  const { scopes, tier, asksConsentAnew, endsAt } = decision
  return { ...nothingGranted, granted: [...scopes], tier, asksConsentAnew, endsAt: toIso(endsAt) }
}

const showConsidered = ({ name, owner, line, outcome, because, values }: Considered): z.output<typeof considered> => ({
  name,
  owner,
  line: line ?? null,
  outcome,
  because,
  values: values.map(({ variable, value }) => ({ variable, value })),
})

function showCeilings(found: FullExplanation['ceilings']): z.output<typeof shownDryRun>['ceilings'] {
  const { accessTokenTtl, refreshTokenTtl } = leastOf(found)
  return {
    access: { won: accessTokenTtl, all: copied(found.access) },
    refresh: refreshTokenTtl && found.refresh ? { won: refreshTokenTtl, all: copied(found.refresh.ceilings) } : null,
  }
}
const copied = (all: readonly Ceiling[]): Ceiling[] => all.map((each) => ({ ...each }))
