/**
 * Test cases of a policy: somebody, a client, a request, and what must come of it. They live beside the policy and must hold before it
 * is published, so that what its author meant is still true when somebody else changes it.
 */
import { z } from 'zod'
import type { ClaimValue, NormalizedIdentity } from '../identity/normalized-identity.js'
import { addSeconds, instant } from '../instant.js'
import { pathText, readYaml, yamlLimits } from '../placed-yaml.js'
import { err, ok, type Result } from '../result.js'
import type { ClientId, ConnectionId, ResourceIdentifier, Scope, SubjectId } from '../tenant/ids.js'
import type { CompiledPolicy } from './compile.js'
import { decide } from './decide.js'
import { ceilingKinds, type PolicyDecision, sensitivityTiers } from './decision.js'
import { mistake, most } from './document.js'
import { type PolicyMistake, policyLimits } from './error.js'
import { clientKinds, type PolicyInput } from './input.js'

const scopes = z.array(z.string().min(1).max(200)).max(...most('requestScopes'))
const seconds = z.number().int().min(0).max(31_536_000)
/** What a login can bring is bounded, and what conditions cost is reckoned by it: what is pasted is bounded alike. */
const text = z.string().max(...most('claimCharacters'))
/** What is wrong with one of several shapes is told of all of them; which limit it was is told here. */
const beyond = (list: 'groups' | 'claimListItems') => ({
  error: ({ input }: { readonly input?: unknown }): string | undefined => {
    const isLong = (value: unknown) => typeof value === 'string' && value.length > policyLimits.claimCharacters
    if (Array.isArray(input) && input.length > policyLimits[list]) return most(list)[1]
    return isLong(input) || (Array.isArray(input) && input.some(isLong)) ? most('claimCharacters')[1] : undefined
  },
})
const longText = z.string().max(2_048)
const claimValue = z.union([text, z.number(), z.boolean(), z.array(text).max(...most('claimListItems'))], beyond('claimListItems'))
const claims = z.record(text, claimValue).refine((given) => Object.keys(given).length <= policyLimits.claims, most('claims')[1])

export const policySituation = z.strictObject({
  at: z.iso.datetime({ offset: true }).optional().describe('When it happens; absent: 2026-11-23T10:00:00Z, a Monday'),
  groups: z
    .union([z.array(text).max(...most('groups')), z.literal('unknown'), z.literal('absent')], beyond('groups'))
    .default([])
    .describe('As the IdP names them'),
  claims: claims.default({}).describe('By the names that the connection gives them'),
  unknownClaims: z
    .array(text)
    .max(policyLimits.claims, `at most ${policyLimits.claims}`)
    .default([])
    .describe('Claims of which nobody knows whether she has them'),
  connection: text.default('connection').describe('The id of the connection'),
  stableId: text.default('person').describe('Her id at the IdP'),
  subjectId: text.optional().describe('Her id here (`subject.id`); absent: she has none yet'),
  acr: text.optional().describe('The class reference of the sign-in'),
  amr: z
    .array(text)
    .max(...most('amrValues'))
    .default(['pwd'])
    .describe('Its methods; empty: the IdP said none'),
  authenticatedSecondsAgo: z
    .union([seconds, z.literal('unknown')])
    .default(0)
    .describe('When she signed in at the IdP; `unknown`: it does not say'),
  ownFactor: z
    .strictObject({
      methods: z
        .array(text)
        .min(1)
        .max(...most('amrValues'))
        .describe('As RFC 8176 names what was proved: `[hwk, user]` by a passkey, `[otp]` by an app'),
      provedSecondsAgo: seconds.default(0).describe('When'),
    })
    .optional()
    .describe('A second factor of ours, proved for this request; absent: none'),
  sessionSecondsAgo: seconds.default(0).describe('When the session began'),
  isOwnSession: z.boolean().default(true).describe('She has just signed in for this request'),
  grantedSecondsAgo: seconds.optional().describe('Of a refresh: when the grant was opened; absent: now'),
  idpSessionEndsInSeconds: seconds.optional().describe('When the IdP ends its session; absent: it names no end'),
  deactivatesInSeconds: z.number().int().optional().describe('When the directory ends her access; absent: it names no end'),
  privilegedInSeconds: z
    .number()
    .int()
    .optional()
    .describe('Until when what is privileged waits, because an admin has reset her second factor; absent: it does not wait'),
  client: z
    .strictObject({
      id: longText.default('agent').describe('Its client id'),
      host: text.optional().describe('Of its metadata document or its redirect URI; absent: it has none'),
      kind: z.enum(clientKinds).default('metadata_document').describe('How it became known'),
      attested: z.boolean().optional().describe('Its installation is proven (`client.attested`); of no client that signs in today it is'),
      accessTokenSeconds: seconds.min(1).optional().describe('The most that its access tokens live; absent: no limit of its own'),
      scopeCeiling: scopes.default([]).describe('The most that it may have; empty: no ceiling of its own'),
    })
    .prefault({})
    .describe('Who asks for her'),
  resource: longText.optional().describe('Absent: the only one'),
  request: scopes.default([]).describe('Scopes asked for; absent: all that the resource declares'),
  kind: z.enum(['new_grant', 'refresh']).default('new_grant').describe('Whether something new is granted or what was granted goes on'),
  stepUpsDone: z.number().int().min(0).max(1).default(0).describe('1: she comes back from being asked for more'),
  address: text.optional().describe('From which she asks; absent: nobody knows'),
  country: text.optional().describe('From which she asks, two letters; absent: nobody knows'),
})
export type PolicySituation = z.output<typeof policySituation>

const expectation = z
  .strictObject({
    granted: scopes.optional().describe('Exactly these'),
    stepUp: z
      .union([z.literal(true), z.enum(['mfa', 'fresh'])])
      .optional()
      .describe('She is asked for more, or for exactly this'),
    denied: z.string().optional().describe('The reason'),
    rules: z
      .record(z.string().max(200), z.string().max(100).nullable())
      .optional()
      .describe('By scope: the name of the rule that grants or denies it; null: none has a say in it'),
    accessTokenBy: z.enum(ceilingKinds).optional().describe('Which limit wins for the access token'),
    refreshTokenBy: z.enum(ceilingKinds).optional().describe('Which limit wins for the refresh token'),
    accessTokenSeconds: z.number().optional().describe('Exactly so long'),
    refreshTokenSeconds: z
      .union([z.number(), z.literal('none')])
      .optional()
      .describe('Exactly so long'),
  })
  .refine((expected) => Object.values(expected).some((value) => value !== undefined), 'expects nothing, so it could not fail')

const policyCase = policySituation
  .extend({
    name: z.string().min(1).max(200).describe('What it shows'),
    expect: expectation.describe('What must come of it: all that is said'),
  })
  .describe('Somebody who asks, and what must come of it')
export type PolicyCase = z.output<typeof policyCase>

export const policyCasesSchema = z.strictObject({
  resource: z.string().optional().describe('Stands for a resource that is declared here; absent: the tenant\u2019s own'),
  scopes: z
    .record(z.string().max(200), z.enum(sensitivityTiers))
    .refine((given) => Object.keys(given).length <= policyLimits.caseScopes, most('caseScopes')[1])
    .optional()
    .describe('Of that resource, each with its tier'),
  cases: z
    .array(policyCase)
    .max(...most('cases'))
    .describe('Each must hold'),
})
export type CasesDocument = z.output<typeof policyCasesSchema>

/** Reads cases. Every mistake of shape at once; never throws. */
export function parsePolicyCases(text: string): Result<CasesDocument, readonly PolicyMistake[]> {
  if (Buffer.byteLength(text) > policyLimits.casesBytes)
    return err([mistake('cases_too_large', '', undefined, String(Buffer.byteLength(text)))])
  const read = readYaml(text)
  if (!read.ok) return err(read.error.map(({ say, place }) => mistake('cases_shape', '', place?.line, say)))
  const [yaml] = read.value
  const parsed = policyCasesSchema.safeParse(yaml?.value ?? {})
  if (parsed.success) return ok(parsed.data)
  return err(
    parsed.error.issues.slice(0, yamlLimits.mistakes).map((issue) => {
      const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)))
      return mistake('cases_shape', pathText(issue.path), (yaml?.placeOfValue(path) ?? yaml?.placeOf(path))?.line, issue.message)
    }),
  )
}

export type KnownResource = PolicyInput['resource']
export type CaseFailure = { readonly name: string; readonly say: string }

const anyMonday = '2026-11-23T10:00:00Z'

/** The input that a situation describes. `undefined`: it names no resource that is known. */
export function inputOfSituation(situation: PolicySituation, resources: readonly KnownResource[]): PolicyInput | undefined {
  const resource =
    situation.resource === undefined ? onlyOne(resources) : resources.find(({ identifier }) => identifier === situation.resource)
  if (resource === undefined) return undefined
  const now = instant(Date.parse(situation.at ?? anyMonday))
  const after = (secondsLater: number | undefined) => (secondsLater === undefined ? undefined : addSeconds(now, secondsLater))
  const { client, groups, authenticatedSecondsAgo: ago, grantedSecondsAgo: granted, ownFactor: own } = situation
  return {
    identity: {
      connectionId: situation.connection as ConnectionId,
      stableId: situation.stableId,
      subjectId: situation.subjectId as SubjectId | undefined,
      claims: new Map<string, ClaimValue>(Object.entries(situation.claims).filter(([name]) => !situation.unknownClaims.includes(name))),
      ...(situation.unknownClaims.length > 0 && { unknownClaims: new Set(situation.unknownClaims) }),
      groups: typeof groups === 'string' ? { state: groups } : { state: 'known', value: groups },
      authentication: {
        acr: situation.acr,
        amr: situation.amr,
        authenticatedAt: ago === 'unknown' ? undefined : addSeconds(now, -ago),
        ...(own && { ownFactor: { methods: own.methods, provedAt: addSeconds(now, -own.provedSecondsAgo) } }),
      },
      sessionExpiresAt: after(situation.idpSessionEndsInSeconds),
      idpSession: { sessionIndex: undefined, nameId: undefined, sid: undefined, subject: undefined },
    } satisfies NormalizedIdentity,
    deactivatesAt: after(situation.deactivatesInSeconds),
    privilegedFrom: after(situation.privilegedInSeconds),
    client: {
      id: client.id as ClientId,
      host: client.host,
      kind: client.kind,
      ...(client.attested !== undefined && { attested: client.attested }),
      scopeCeiling: client.scopeCeiling.map((scope) => scope as Scope),
      accessTokenTtlSeconds: client.accessTokenSeconds,
    },
    resource,
    request: {
      scopes: situation.request.length > 0 ? situation.request.map((scope) => scope as Scope) : resource.scopes.map(({ name }) => name),
      stepUpsDone: situation.stepUpsDone,
      kind: situation.kind,
      address: situation.address,
      country: situation.country,
    },
    session: {
      startedAt: addSeconds(now, -situation.sessionSecondsAgo),
      isOwn: situation.isOwnSession,
      grantedAt: granted === undefined ? undefined : addSeconds(now, -granted),
    },
    now,
  }
}

const onlyOne = <T>(items: readonly T[]): T | undefined => (items.length === 1 ? items[0] : undefined)

/** The cases that do not hold, each with what came instead. */
export function runPolicyCases(
  policy: CompiledPolicy,
  document: CasesDocument,
  tenantResources: readonly KnownResource[],
): readonly CaseFailure[] {
  const resources = resourcesOfCases(document, tenantResources)
  return document.cases.flatMap((each) => runPolicyCase(policy, each, resources) ?? [])
}

/** `undefined`: it holds. For whoever has other things to do between two cases. */
export function runPolicyCase(policy: CompiledPolicy, each: PolicyCase, resources: readonly KnownResource[]): CaseFailure | undefined {
  const input = inputOfSituation(each, resources)
  if (input === undefined)
    return { name: each.name, say: `names no known resource${each.resource === undefined ? '' : `: ${each.resource}`}` }
  const say = differenceOf(decide(policy, input), each.expect)
  return say === undefined ? undefined : { name: each.name, say }
}

/** The one that the document declares, or the tenant’s own. */
export const resourcesOfCases = (document: CasesDocument, tenantResources: readonly KnownResource[]): readonly KnownResource[] =>
  declaredResource(document) ?? tenantResources

function declaredResource({ resource, scopes: declared }: CasesDocument): readonly KnownResource[] | undefined {
  if (resource === undefined || declared === undefined) return undefined
  return [
    {
      identifier: resource as ResourceIdentifier,
      scopes: Object.entries(declared).map(([name, tier]) => ({ name: name as Scope, tier, description: name, isDefault: false })),
      accessTokenTtlSeconds: undefined,
    },
  ]
}

function differenceOf(decision: PolicyDecision, expected: PolicyCase['expect']): string | undefined {
  const came = summaryOf(decision)
  const wanted = (what: string): string => `wanted ${what}, got ${came}`
  if (expected.granted !== undefined && !isSameSet(decision.kind === 'allow' ? decision.scopes : [], expected.granted))
    return wanted(`[${expected.granted.join(', ')}]`)
  if (expected.stepUp !== undefined && !(decision.kind === 'stepUp' && (expected.stepUp === true || expected.stepUp === decision.demand)))
    return wanted(`a step-up${expected.stepUp === true ? '' : ` (${expected.stepUp})`}`)
  if (expected.denied !== undefined && !(decision.kind === 'deny' && decision.reason === expected.denied)) return wanted(expected.denied)
  const other = Object.entries(expected.rules ?? {}).find(([scope, rule]) => ruleFor(decision, scope) !== rule)
  if (other !== undefined) {
    const [scope, rule] = other
    return `wanted ${rule === null ? 'no rule' : `rule ${rule}`} for ${scope}, got ${ruleFor(decision, scope) ?? 'none'}; ${came}`
  }
  for (const [token, by] of [
    ['access', expected.accessTokenBy],
    ['refresh', expected.refreshTokenBy],
  ] as const) {
    const won = decision.kind === 'allow' ? decision[`${token}TokenTtl`]?.by : undefined
    if (by !== undefined && won !== by)
      return wanted(`the limit ${by} for the ${token} token${won === undefined ? '' : ` instead of ${won}`}`)
  }
  const access = decision.kind === 'allow' ? decision.accessTokenTtl.seconds : undefined
  if (expected.accessTokenSeconds !== undefined && access !== expected.accessTokenSeconds)
    return wanted(`an access token of ${expected.accessTokenSeconds} s`)
  const refresh = decision.kind === 'allow' ? (decision.refreshTokenTtl?.seconds ?? 'none') : undefined
  return expected.refreshTokenSeconds !== undefined && refresh !== expected.refreshTokenSeconds
    ? wanted(`a refresh token of ${expected.refreshTokenSeconds} s`)
    : undefined
}

/** `null`: none has a say, or nobody asks for it. */
const ruleFor = ({ explanation }: PolicyDecision, scope: string): string | null =>
  explanation.scopes.find((one) => one.scope === scope)?.rule ?? null

/** A decision in one line, with what stood in the way. */
function summaryOf(decision: PolicyDecision): string {
  if (decision.kind === 'stepUp') return `a step-up (${decision.demand}): ${decision.missing}`
  if (decision.kind === 'deny') return `${decision.reason}: ${decision.missing}`
  const { scopes: granted, accessTokenTtl, refreshTokenTtl } = decision
  return `[${granted.join(', ')}] for ${accessTokenTtl.seconds} s, refresh ${refreshTokenTtl?.seconds ?? 'none'}`
}

const isSameSet = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === new Set(other).size && one.every((item) => other.includes(item))
