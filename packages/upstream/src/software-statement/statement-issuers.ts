/**
 * Whose software statements a tenant believes, and whether it wants one of every client that registers itself. RFC 7591 §2.3
 *
 * Parsed from `tenants.software_statements`. Where nobody has chosen, no issuer is trusted, and a statement is ignored.
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import { type ForeignAlgorithm, foreignAlgorithms } from '@drawbridge/crypto/foreign-algorithms'
import { readForeignJwks } from '@drawbridge/crypto/foreign-jwks'
import type { ForeignKey } from '@drawbridge/crypto/foreign-jwt'
import { z } from 'zod'
import { isSecureUrl } from '../connection-configuration.js'

export const statementIssuerLimits = { issuers: 16, keys: 20, softwareIds: 200, textLength: 1024 } as const

const text = z.string().min(1).max(statementIssuerLimits.textLength)
const issuerShape = z.strictObject({
  issuer: text.describe('The only iss that is believed, compared exactly'),
  jwks: z
    .strictObject({ keys: z.array(z.record(z.string(), z.unknown())).min(1).max(statementIssuerLimits.keys) })
    .optional()
    .describe('Its public keys; or'),
  jwksUri: text.optional().describe('Where it publishes them; never both'),
  algorithms: z.array(z.enum(foreignAlgorithms)).min(1).default(['ES256', 'RS256', 'PS256', 'EdDSA']),
  softwareIds: z.array(text).max(statementIssuerLimits.softwareIds).default([]).describe('Only of this software; empty: of any'),
  approves: z
    .boolean()
    .default(false)
    .describe(
      'A client is approved, as by an admin, where its statement says all that an admin judges: redirect URIs, keys, name, grant types',
    ),
})

/** `required` is needed: left out, it would no longer demand what somebody has demanded. */
export const softwareStatementsShape = z.strictObject({
  required: z.boolean().describe('Nobody registers itself without a statement of one of these'),
  issuers: z.array(issuerShape).max(statementIssuerLimits.issuers),
})

export type StatementIssuer = {
  readonly issuer: string
  readonly algorithms: readonly ForeignAlgorithm[]
  /** Undefined: they are at `jwksUri`. */
  readonly keys: readonly ForeignKey[] | undefined
  readonly jwksUri: string | undefined
  readonly softwareIds: readonly string[]
  readonly approves: boolean
}
export type SoftwareStatements = { readonly required: boolean; readonly issuers: readonly StatementIssuer[] }

/** Where it is wrong, and what is. */
export type StatementMistake = { readonly path: string; readonly message: string }

/** Whatever the store holds. What is not readable trusts nobody, and lets nobody register. */
export function softwareStatementsFromJson(json: unknown): SoftwareStatements {
  if (json === undefined) return { required: false, issuers: [] }
  const parsed = parseSoftwareStatements(json)
  return parsed.ok ? parsed.value : { required: true, issuers: [] }
}

export function parseSoftwareStatements(json: unknown): Result<SoftwareStatements, StatementMistake> {
  const parsed = softwareStatementsShape.safeParse(json)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    return mistake(issue?.path.map(String).join('.') ?? '', issue?.message ?? '')
  }
  const { required, issuers } = parsed.data
  if (required && issuers.length === 0) return mistake('issuers', 'nobody could register: name an issuer, or close dynamic registration')
  const read: StatementIssuer[] = []
  for (const [index, each] of issuers.entries()) {
    const issuer = readIssuer(each, `issuers.${index}`)
    if (!issuer.ok) return issuer
    if (read.some((other) => other.issuer === each.issuer)) return mistake(`issuers.${index}.issuer`, 'it is named twice')
    read.push(issuer.value)
  }
  return ok({ required, issuers: read })
}

function readIssuer({ jwks, ...rest }: z.output<typeof issuerShape>, path: string): Result<StatementIssuer, StatementMistake> {
  if ((jwks === undefined) === (rest.jwksUri === undefined)) return mistake(`${path}.jwks`, 'jwks or jwksUri, exactly one of them')
  if (rest.jwksUri !== undefined && !isSecureUrl(rest.jwksUri)) return mistake(`${path}.jwksUri`, 'an https URL')
  const keys = jwks && readForeignJwks(jwks)
  if (jwks !== undefined && !(keys?.ok && keys.value.length === jwks.keys.length))
    return mistake(`${path}.jwks`, 'public signing keys alone: RSA of at least 2048 bits, P-256, P-384, P-521 or Ed25519')
  return ok({ ...rest, jwksUri: rest.jwksUri, keys: keys?.ok ? keys.value : undefined })
}

const mistake = (path: string, message: string): { readonly ok: false; readonly error: StatementMistake } => err({ path, message })
