/** The policy document as its author writes it: YAML (JSON is YAML too), one schema, every value placed by its line. */
import { z } from 'zod'
import { authenticationStrengths } from '../identity/authentication-strength.js'
import { pathText, readYaml } from '../placed-yaml.js'
import { err, ok, type Result } from '../result.js'
import { sensitivityTiers } from './decision.js'
import { type PolicyErrorReason, type PolicyMistake, policyErrors, policyLimits } from './error.js'

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'must be letters, digits, dots, hyphens or underscores, 100 at most')
/** A scope by name, or by pattern: `*` stands for any run of characters. */
const scopePattern = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/, 'must be a scope name or a pattern with *')
const when = z.string().min(1)
const seconds = z.number().int().min(1).max(31_536_000)
const tierLimit = z.strictObject({
  accessTokenSeconds: seconds.optional(),
  refreshTokenSeconds: z.union([seconds, z.literal('none')]).optional(),
})
const groupNames = z.array(z.string().min(1).max(256)).min(1).max(policyLimits.groups)
const demandable = z.enum(authenticationStrengths.filter((strength) => strength !== 'unknown'))

const schema = z.strictObject({
  version: z.literal(1),
  description: z.string().max(2_000).optional(),
  /** Claims beyond the standard ones that conditions may name, with their types. */
  claims: z.record(z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/), z.enum(['string', 'number', 'boolean', 'list'])).default({}),
  /** What context classes of this tenant's own IdPs mean. */
  acr: z.record(z.string().min(1).max(256), demandable).default({}),
  limits: z.partialRecord(z.enum(sensitivityTiers), tierLimit).default({}),
  session: z.strictObject({ absoluteSeconds: seconds.optional(), idleSeconds: seconds.optional() }).default({}),
  /** Groups → scopes, without an expression. */
  bundles: z
    .array(
      z.strictObject({ name, groups: groupNames, scopes: z.array(scopePattern).min(1).max(200), resource: z.string().min(1).optional() }),
    )
    .default([]),
  rules: z
    .array(
      z.strictObject({
        name,
        effect: z.enum(['grant', 'deny']),
        scopes: z.array(scopePattern).min(1).max(200),
        resource: z.string().min(1).optional(),
        groups: groupNames.optional(),
        everyone: z.literal(true).optional(),
        when: when.optional(),
      }),
    )
    .default([]),
  mfa: z
    .array(
      z.strictObject({
        name: name.optional(),
        strength: demandable.default('multi_factor'),
        /** How long ago the person may have proved it, at a new grant. */
        freshSeconds: seconds.optional(),
        tiers: z.array(z.enum(sensitivityTiers)).min(1).optional(),
        scopes: z.array(scopePattern).min(1).optional(),
        resource: z.string().min(1).optional(),
        groups: groupNames.optional(),
        when: when.optional(),
      }),
    )
    .default([]),
})

export type PolicyDocument = z.infer<typeof schema>
export type PolicyRule = PolicyDocument['rules'][number]
export type MfaDemand = PolicyDocument['mfa'][number]

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
  const parsed = schema.safeParse(yaml?.value ?? {})
  if (parsed.success) return ok({ document: parsed.data, lineOf })
  return err(
    parsed.error.issues.map((issue) => mistake('document_shape', pathText(issue.path), lineOf(issue.path.map(pathPart)), issue.message)),
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
