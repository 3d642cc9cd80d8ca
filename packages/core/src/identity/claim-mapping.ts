/**
 * How one connection's attributes become claims: names in, names out, types fixed.
 *
 * A mapping cannot write the subject's key, tenant or connection, verified flags, or `acr`/`amr`: those are not claims here, and the
 * reserved names are refused. An absent mapping is a sensible one for the connection's kind.
 */
import { z } from 'zod'
import { type ClaimExpression, claimExpressionCompiler } from '../policy/cel.js'
import type { ClaimType } from '../policy/cel-variables.js'
import { policyErrors, policyLimits } from '../policy/error.js'
import { err, ok, type Result } from '../result.js'
import { addressClaims } from './email-address.js'

export type ClaimRule = {
  readonly claim: string
  readonly type: ClaimType /** The first of these that the IdP sent wins. */
  readonly from: readonly string[]
  /** Instead of `from`: an attribute of her user in the directory. What the login says under the claim's name does not count then. */
  readonly directory?: string
  /** Instead of `from`: a CEL expression over the attributes. It cannot fail silently: a login for which it has no result is refused. */
  readonly expression?: ClaimExpression
}

/** `attributes`: several that name the person only together, as Entra's `tid` and `oid` do. */
export type StableIdRule =
  | { readonly from: 'protocol' }
  | { readonly from: 'attribute'; readonly name: string }
  | { readonly from: 'attributes'; readonly names: readonly string[] }

export type ClaimMapping = {
  /** Where the stable identifier of the person is: the protocol's own (NameID, `sub`) or an attribute that never changes. */
  readonly stableId: StableIdRule
  readonly claims: readonly ClaimRule[]
  /** `undefined`: this connection sends no groups, and they are absent rather than unknown. */
  readonly groups: { readonly from: readonly string[] } | undefined
  /** Attributes that hold authentication methods, beside the protocol's own. */
  readonly methods: readonly string[]
  /** PingOne sends the end of the assertion, minutes away, as end of the session: such a value may be ignored, or raised to a floor. */
  readonly idpSessionEnd: 'honour' | 'ignore' | { readonly floorSeconds: number }
  /** Okta's SAML class is a setting of the application, the same at every login: such a one is no evidence, whatever it says. */
  readonly authnContext: 'evidence' | 'ignore'
}

export type ClaimMappingRefusal = {
  readonly reason: 'mapping_malformed' | 'mapping_writes_reserved_claim' | 'mapping_expression' | 'mapping_of_directory'
  readonly say: string
}

const soap = 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/'
const microsoft = 'http://schemas.microsoft.com/'

const defaultClaims: readonly ClaimRule[] = [
  { claim: 'email', type: 'string', from: ['email', 'mail', `${soap}emailaddress`, 'urn:oid:0.9.2342.19200300.100.1.3'] },
  {
    claim: 'name',
    type: 'string',
    from: ['name', 'displayName', `${microsoft}identity/claims/displayname`, 'urn:oid:2.16.840.1.113730.3.1.241'],
  },
  { claim: 'given_name', type: 'string', from: ['given_name', 'firstName', 'givenName', `${soap}givenname`, 'urn:oid:2.5.4.42'] },
  { claim: 'family_name', type: 'string', from: ['family_name', 'lastName', 'sn', `${soap}surname`, 'urn:oid:2.5.4.4'] },
  { claim: 'preferred_username', type: 'string', from: ['preferred_username', 'upn', `${soap}name`] },
  { claim: 'department', type: 'string', from: ['department'] },
  { claim: 'title', type: 'string', from: ['title'] },
  { claim: 'employee_type', type: 'string', from: ['employee_type', 'employeeType', 'userType'] },
  { claim: 'employee_number', type: 'string', from: ['employee_number', 'employeeNumber'] },
  { claim: 'cost_center', type: 'string', from: ['cost_center', 'costCenter'] },
  { claim: 'organization', type: 'string', from: ['organization'] },
  { claim: 'country', type: 'string', from: ['country'] },
  { claim: 'roles', type: 'list', from: ['roles', 'Role', `${microsoft}ws/2008/06/identity/claims/role`] },
]

export const defaultClaimMapping: ClaimMapping = {
  stableId: { from: 'protocol' },
  claims: defaultClaims,
  groups: {
    from: [
      'groups',
      'memberOf',
      `${microsoft}ws/2008/06/identity/claims/groups`,
      'http://schemas.xmlsoap.org/claims/Group',
      'urn:oid:1.3.6.1.4.1.5923.1.5.1.1',
    ],
  },
  methods: ['http://schemas.microsoft.com/claims/authnmethodsreferences', 'session.amr', 'amr', 'AMR'],
  idpSessionEnd: 'honour',
  authnContext: 'evidence',
}

/** What a mapping may never write: keys of the person, proofs of ours, evidence of the login, and what breaks objects. */
/** What no mapping and no policy may write. security.md §5 */
export const reservedClaims: ReadonlySet<string> = new Set([
  'sub',
  'iss',
  'aud',
  'tenant',
  'connection',
  'email_verified',
  'phone_number_verified',
  'acr',
  'amr',
  'auth_time',
  'groups',
  'constructor',
  'prototype',
])

/** No session of ours is longer by itself. */
const longestFloorSeconds = 12 * 3600
const attributeName = z.string().min(1).max(256)
/** Of SCIM: `userType`, `name.givenName`, `urn:…:enterprise:2.0:User:department`. RFC 7644 §3.10 */
const directoryAttribute = z
  .string()
  .max(256)
  .regex(/^(urn:[A-Za-z0-9._:-]+:)?[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z][A-Za-z0-9_-]*)?$/)
const claimType = z.enum(['string', 'number', 'boolean', 'list']).default('string')
const mostClaims = 50
const wire = z.strictObject({
  stableId: z
    .union([z.strictObject({ attribute: attributeName }), z.strictObject({ attributes: z.array(attributeName).min(2).max(4) })])
    .optional(),
  claims: z
    .record(
      z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/),
      z.union([
        z.strictObject({ from: z.array(attributeName).min(1).max(10), type: claimType }),
        z.strictObject({ directory: directoryAttribute, type: claimType }),
        z.strictObject({ expression: z.string().min(1).max(2_000), type: claimType }),
      ]),
    )
    .refine((claims) => Object.keys(claims).length <= mostClaims, `at most ${mostClaims} claims`)
    .default({}),
  groups: z.union([z.strictObject({ from: z.array(attributeName).min(1).max(10) }), z.literal('none')]).optional(),
  methods: z.array(attributeName).max(10).optional(),
  idpSessionEnd: z
    .union([z.enum(['honour', 'ignore']), z.strictObject({ floorSeconds: z.number().int().min(60).max(longestFloorSeconds) })])
    .default('honour'),
  authnContext: z.enum(['evidence', 'ignore']).default('evidence'),
})

function toStableIdRule(given: z.output<typeof wire>['stableId']): StableIdRule {
  if (given === undefined) return { from: 'protocol' }
  return 'attribute' in given ? { from: 'attribute', name: given.attribute } : { from: 'attributes', names: given.attributes }
}

function compileRules(claims: z.output<typeof wire>['claims']): Result<readonly ClaimRule[], ClaimMappingRefusal> {
  const compile = claimExpressionCompiler()
  const rules: ClaimRule[] = []
  let cost = 0
  for (const [claim, rule] of Object.entries(claims)) {
    if ('directory' in rule) {
      // An address counts only as the login says it, where it is held to the domains of others.
      if (addressClaims.includes(claim))
        return err({ reason: 'mapping_of_directory', say: `${claim} is what the login says, never the directory` })
      rules.push({ claim, type: rule.type, from: [], directory: rule.directory })
      continue
    }
    if ('from' in rule) {
      rules.push({ claim, type: rule.type, from: rule.from })
      continue
    }
    const expression = compile(rule.expression, rule.type)
    if (!expression.ok) return err({ reason: 'mapping_expression', say: `claims.${claim}.expression: ${expression.error.say}` })
    cost += expression.value.cost
    if (cost > policyLimits.policyCost) return err({ reason: 'mapping_expression', say: policyErrors.policy_too_costly.say })
    rules.push({ claim, type: rule.type, from: [], expression: expression.value })
  }
  return ok(rules)
}

/** Reads the mapping of a connection's configuration. `undefined` means the default; what it names replaces the default claim of that name. */
export function parseClaimMapping(value: unknown): Result<ClaimMapping, ClaimMappingRefusal> {
  if (value === undefined || value === null) return ok(defaultClaimMapping)
  const parsed = wire.safeParse(value)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    return err({ reason: 'mapping_malformed', say: `${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'malformed'}` })
  }
  const { stableId, claims, groups, methods, idpSessionEnd, authnContext } = parsed.data
  const forbidden = Object.keys(claims).find((claim) => reservedClaims.has(claim))
  if (forbidden !== undefined) return err({ reason: 'mapping_writes_reserved_claim', say: `a mapping may not write ${forbidden}` })
  const compiled = compileRules(claims)
  if (!compiled.ok) return compiled
  const own = compiled.value
  return ok({
    stableId: toStableIdRule(stableId),
    claims: [...defaultClaims.filter((rule) => !own.some((mine) => mine.claim === rule.claim)), ...own],
    groups: groups === 'none' ? undefined : (groups ?? defaultClaimMapping.groups),
    methods: methods ?? defaultClaimMapping.methods,
    idpSessionEnd,
    authnContext,
  })
}
