/** The policy document as its author writes it: YAML (JSON is YAML too), one schema, every value placed by its line. */
import { z } from 'zod'
import { authenticationStrengths } from '../identity/authentication-strength.js'
import { pathText, readYaml, yamlLimits } from '../placed-yaml.js'
import { err, ok, type Result } from '../result.js'
import { liveGrantsChoices } from '../revocation/settled-grants.js'
import { sensitivityTiers } from './decision.js'
import { type PolicyErrorReason, type PolicyMistake, policyErrors, policyLimits } from './error.js'
import { isPlace } from './group-names.js'
import { isHostPattern } from './host-pattern.js'
import { multiFactorFreshSeconds } from './tier.js'

/** A limit, and the refusal that names it. */
export const most = (limit: keyof typeof policyLimits) =>
  [policyLimits[limit], `more than the limit ${limit}: ${policyLimits[limit]}`] as const

const key = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'must be letters, digits, dots, hyphens or underscores, 100 at most')
const name = key.describe('What explanations call it; no two rules, bundles or rules for clients share one')
const claimName = z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/)
const claimType = z.enum(['string', 'number', 'boolean', 'list'])
const scopePattern = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/, 'must be a scope name or a pattern with *')
  .refine(
    (text) => text.split('*').length - 1 <= policyLimits.patternStars,
    `more than the limit patternStars: ${policyLimits.patternStars}`,
  )
  .describe('A scope by name, or by pattern: `*` stands for any run of characters')
const scopePatterns = z
  .array(scopePattern)
  .min(1)
  .max(...most('ruleScopes'))
  .describe('Scopes by name, or by pattern: `*` stands for any run of characters')
const when = z.string().min(1).describe('A condition in CEL')
const resource = z.string().min(1).max(2_048).describe('The identifier of a resource; absent: every resource')
const seconds = z.number().int().min(1).max(31_536_000)
const accessTokenSeconds = seconds.optional().describe('The most that an access token lives')
const refreshTokenSeconds = z
  .union([seconds, z.literal('none')])
  .optional()
  .describe('The most that a refresh token lives; `none`: there is none')
const tierLimit = z.strictObject({ accessTokenSeconds, refreshTokenSeconds }).describe('Only ever tighter than the wall\u2019s')
const groupText = z.string().min(1).max(256)
const path = z
  .string()
  .min(1)
  .max(1_024)
  .refine(isPlace, 'must begin with / or be the end of a distinguished name: what is neither is at no place')
  .describe('`/Engineering/Platform`, or the end of a distinguished name')
const groups = z
  .array(z.union([groupText, z.strictObject({ path }).describe('A place in the directory, with all that is below it')]))
  .min(1)
  .max(...most('groups'))
  .describe(
    'Whoever is in one of them: a name or an id as the IdP sends it, a group that the document defines, or a place in the directory',
  )
const demandable = z.enum(authenticationStrengths.filter((strength) => strength !== 'unknown')).describe('A strength of authentication')
const tiers = z.array(z.enum(sensitivityTiers)).min(1).describe('What is granted of one of these tiers; absent: of every tier')
const texts = z
  .array(z.string().min(1).max(2_048))
  .min(1)
  .max(...most('ruleClients'))
const clients = z
  .strictObject({
    ids: texts.optional().describe('One of these client ids'),
    hosts: z
      .array(
        z
          .string()
          .min(1)
          .max(2_048)
          .refine(
            isHostPattern,
            'must be a host as an address has it, in ASCII, without scheme, port or path; or `*.` before one; or a private scheme with its colon',
          ),
      )
      .min(1)
      .max(...most('ruleClients'))
      .optional()
      .describe('Hosts of metadata documents or redirect URIs; `*.example.com` is every host below it'),
    kinds: z
      .array(z.enum(['metadata_document', 'dynamic', 'preregistered']))
      .min(1)
      .optional()
      .describe('How it became known'),
  })
  .describe('Which clients are meant: all that is given must hold')

const bundle = z
  .strictObject({ name, groups, scopes: scopePatterns, resource: resource.optional() })
  .describe('Groups earn scopes, without an expression')

const rule = z
  .strictObject({
    name,
    effect: z.enum(['grant', 'deny']).describe('A deny always wins'),
    scopes: scopePatterns,
    resource: resource.optional(),
    groups: groups.optional(),
    clients: clients.optional(),
    everyone: z.literal(true).optional().describe('Needed where neither `groups` nor `clients` nor `when` says for whom it is'),
    when: when.optional(),
  })
  .describe('Grants or denies scopes; a deny always wins, and order never matters')

const clientRule = z
  .strictObject({
    name,
    clients: clients.optional(),
    when: when.optional(),
    refuse: z.literal(true).optional().describe('These clients get nothing'),
    scopes: scopePatterns.optional().describe('The most that these clients may have'),
    accessTokenSeconds,
    refreshTokenSeconds,
  })
  .describe('What some clients may have at most')

const demand = z
  .strictObject({
    name: key.optional().describe('What explanations call it; no two demands share one'),
    strength: demandable.default('multi_factor').describe('At least this one'),
    freshSeconds: seconds
      .optional()
      .describe(
        `How long ago the person may have proved it, at a new grant; absent: ${multiFactorFreshSeconds} for several factors, any time for one`,
      ),
    tiers: tiers.optional(),
    scopes: z
      .array(scopePattern)
      .min(1)
      .max(...most('ruleScopes'))
      .optional()
      .describe('What is granted of these scopes; absent: of every scope'),
    resource: resource.optional(),
    groups: groups.optional(),
    clients: clients.optional(),
    when: when.optional(),
  })
  .describe('Which strength of authentication must be proved for what')

const strengthRule = z
  .strictObject({
    name: key.describe('What explanations call it; no two rules for strength share one'),
    connection: z.string().min(1).max(64).optional().describe('The id of the connection; absent: every one'),
    acr: z.string().min(1).max(256).optional().describe('The class reference, exactly'),
    amr: z
      .array(z.string().min(1).max(256))
      .min(1)
      .max(...most('amrValues'))
      .optional()
      .describe('All of them must be there'),
    means: demandable.describe('What it proves'),
  })
  .describe('What evidence of this tenant\u2019s own IdPs means, beyond what specifications define')

const acceptedStrength = z
  .strictObject({
    connection: z.string().min(1).max(64).describe('The id of the connection that the vendor has looked at'),
    ...strengthRule.pick({ acr: true, amr: true, means: true }).shape,
  })
  .describe('A rule of a tenant that counts for the vendor, too, for one connection: this evidence and this meaning, no other')

const groupDefinition = z
  .strictObject({
    names: z.array(groupText).optional().describe('As the IdP sends them'),
    ids: z.array(groupText).optional().describe('As the IdP sends them; GUIDs without regard to case'),
    paths: z.array(path).optional().describe('Places in the directory, with all that is below them'),
  })
  .describe('Whoever is in one of what it lists')

export const policySchema = z.strictObject({
  version: z.literal(1).describe('Of this schema'),
  description: z.string().max(2_000).optional().describe('For whoever reads it; nothing else reads it'),
  claims: z
    .record(
      claimName,
      z.union([
        claimType,
        z
          .strictObject({
            type: claimType.describe('What `from` comes to'),
            from: z
              .string()
              .min(1)
              .describe('What it is made of, in CEL; without a result the claim is unknown, and even `has()` of it counts strictly'),
          })
          .describe('A claim that the policy makes'),
      ]),
    )
    .default({})
    .describe('Claims beyond the standard ones that conditions may name, with their types; `from` makes one out of others, in CEL'),
  groups: z.record(key, groupDefinition).default({}).describe('Groups by names of the document\u2019s own'),
  acr: z.record(z.string().min(1).max(256), demandable).default({}).describe('Short for `strength` rules with an `acr` alone'),
  strength: z
    .array(strengthRule)
    .max(...most('strengthRules'))
    .default([])
    .describe('What evidence of the tenant\u2019s own IdPs proves'),
  limits: z.partialRecord(z.enum(sensitivityTiers), tierLimit).default({}).describe('The table of tiers, tightened'),
  session: z
    .strictObject({
      absoluteSeconds: seconds.optional().describe('Nothing outlives the sign-in by more'),
      idleSeconds: seconds.optional().describe('A refresh token that is not used for so long is dead'),
      authenticationMaxAgeSeconds: seconds.optional().describe('Nothing outlives the authentication at the IdP by more'),
      reconsentSeconds: seconds.optional().describe('After this long the person must consent anew'),
    })
    .default({})
    .describe('How long a session lasts, and what is issued from it'),
  bundles: z.array(bundle).default([]).describe('Groups earn scopes, without an expression'),
  claimChanges: z
    .enum(liveGrantsChoices)
    .optional()
    .describe(
      'When a group or claim that the directory or a newer login changes takes effect on what is open: `now` (absent, too), or `at_next_refresh`. Only in the policy of a tenant',
    ),
  rules: z.array(rule).default([]).describe('Grants and denies; their order never matters'),
  clients: z
    .array(clientRule)
    .max(...most('clientRules'))
    .default([])
    .describe('What some clients may have at most'),
  mfa: z
    .array(demand)
    .max(...most('demands'))
    .default([])
    .describe('What must be proved for what'),
  acceptsStrengthOf: z
    .array(z.union([acceptedStrength, z.string().min(1).max(64).describe('As earlier versions wrote it: accepts nothing, and is refused')]))
    .max(10_000)
    .default([])
    .describe(
      'Only in the vendor\u2019s policy: rules of `strength` that count for the vendor\u2019s demands, too, if a tenant writes exactly them',
    ),
})

export type PolicyDocument = z.infer<typeof policySchema>
export type PolicyRule = PolicyDocument['rules'][number]
export type MfaDemand = PolicyDocument['mfa'][number]
export type ClientRule = PolicyDocument['clients'][number]
export type ClientsEntry = z.infer<typeof clients>

/** Finds the document's line for a path of keys and indexes. */
export type LineFinder = (path: readonly (string | number)[]) => number | undefined

export type ReadDocument = { readonly document: PolicyDocument; readonly lineOf: LineFinder }

/** Reads the text. Reports every mistake of shape at once; never throws. */
export function parsePolicyDocument(text: string): Result<ReadDocument, readonly PolicyMistake[]> {
  if (Buffer.byteLength(text) > policyLimits.documentBytes)
    return err([mistake('document_too_large', '', undefined, String(Buffer.byteLength(text)))])
  const read = readYaml(text)
  if (!read.ok) return err(read.error.map(({ kind, say, place }) => mistake(reasonOf[kind], '', place?.line, say)))
  const [yaml, second] = read.value
  if (second !== undefined) return err([mistake('document_not_yaml', '', second.placeOf([]).line, 'one document, not several')])
  // Of what is missing: of what it is missing from.
  const lineOf: LineFinder = (path) => (yaml?.placeOfValue(path) ?? yaml?.placeOf(path))?.line
  const parsed = policySchema.safeParse(yaml?.value ?? {})
  if (parsed.success) return ok({ document: parsed.data, lineOf })
  return err(
    parsed.error.issues
      .slice(0, yamlLimits.mistakes)
      .map((issue) => mistake('document_shape', pathText(issue.path), lineOf(issue.path.map(pathPart)), issue.message)),
  )
}

const reasonOf = { syntax: 'document_not_yaml', alias: 'document_has_alias' } as const

const pathPart = (part: PropertyKey): string | number => (typeof part === 'number' ? part : String(part))

export function mistake(
  reason: PolicyErrorReason,
  path: string,
  line: number | undefined,
  detail: string,
  expression?: PolicyMistake['expression'],
): PolicyMistake {
  return { reason, say: detail === '' ? policyErrors[reason].say : `${policyErrors[reason].say}: ${detail}`, path, line, expression }
}
