/**
 * A tenant as a file says it: what people decide, by the names that people use. Nothing that is made by the broker (ids, keys, tokens,
 * credentials) and no secret: a secret is named, by the variable or the file that holds it.
 *
 * A section that is left out is not managed: it stays as it is. What a section does not name is left alone, too, unless it is to be pruned.
 */
import { newClient } from '@drawbridge/broker/admin/client-shapes'
import { newResource } from '@drawbridge/broker/admin/resource-shapes'
import { newWebhook } from '@drawbridge/broker/admin/webhook-shapes'
import { isPlainAddress, parseEmailAddress } from '@drawbridge/core/identity/email-address'
import { provisioningModes } from '@drawbridge/core/identity/provisioning'
import { clientRegistrationShape } from '@drawbridge/core/oauth/client-registration'
import { defaultScopesShape } from '@drawbridge/core/oauth/default-scopes'
import { dpopRulesShape } from '@drawbridge/core/oauth/dpop-rules'
import { tokenExchangeShape } from '@drawbridge/core/oauth/exchange-permission'
import { idJagIssuingShape } from '@drawbridge/core/oauth/id-jag-issuing'
import { subjectTypeRulesShape } from '@drawbridge/core/oauth/subject-type'
import { tokenAlgorithms } from '@drawbridge/core/oauth/token-algorithm'
import { toldOfPeopleShape } from '@drawbridge/core/oauth/userinfo'
import { policyLimits } from '@drawbridge/core/policy/error'
import { webhookLimits } from '@drawbridge/core/revocation/webhook'
import { announcementLimits, oneLine } from '@drawbridge/core/tenant/announcement'
import { choiceRuleShape, connectionChoiceLimits, connectionChoiceShape } from '@drawbridge/core/tenant/connection-choice'
import { tenantLimits } from '@drawbridge/core/tenant/tenant-limits'
import { softwareStatementsShape } from '@drawbridge/upstream/software-statement/statement-issuers'
import { z } from 'zod'

export const tenantFileLimits = {
  bytes: 1_048_576,
  files: 500,
  documents: 500,
  rows: 1_000,
  /** Of what a file names. */
  policyBytes: policyLimits.documentBytes,
  casesBytes: policyLimits.casesBytes,
  secretBytes: 16_384,
} as const

const name = z.string().trim().min(1).max(200)
const source = { fromEnv: z.string().regex(/^[A-Za-z_]\w*$/, 'the name of a variable'), fromFile: z.string().min(1).max(4096) }
const secretReference = z.union([z.strictObject({ fromEnv: source.fromEnv }), z.strictObject({ fromFile: source.fromFile })], {
  error: 'a secret is named, never written here: {fromEnv: NAME} or {fromFile: path}',
})

/** As the broker keeps it: the address is what makes a contact the same. */
const contact = z.strictObject({
  name: z.string().trim().min(1).max(announcementLimits.nameCharacters).transform(oneLine),
  email: z
    .string()
    .max(320)
    .refine(isPlainAddress, 'this is no plain e-mail address')
    .transform((text) => parseEmailAddress(text)?.key ?? text),
})

const connection = z.strictObject({
  name,
  kind: z.enum(['saml', 'oidc']),
  metadata: z
    .strictObject({
      url: z.string().max(2048),
      entityId: z.string().min(1).max(1024).optional(),
      pinnedCertificates: z.array(z.string().max(16_384)).max(4).default([]),
    })
    .optional(),
  configuration: z.record(z.string(), z.unknown()).default({}),
  clientSecret: secretReference.optional(),
  /** It signs nobody in. A file never brings a killed connection back. */
  killed: z.boolean().default(false),
})
/** As the API takes it, connections by name. */
const assertionTrust = z.strictObject({
  name,
  configuration: z.record(z.string(), z.unknown()),
  /** Nothing is accepted by it. A file never brings a killed trust back. */
  killed: z.boolean().default(false),
})
const domain = z.strictObject({
  domain: z.string().min(1).max(253),
  connection: name.optional(),
  /** Proven by the word of the vendor; otherwise the DNS is to prove it. */
  vouched: z.boolean().default(false),
})
/** As the API takes it, connections by name. */
export const choiceShape = connectionChoiceShape.omit({ rules: true, fallbackConnectionId: true }).extend({
  rules: z
    .array(choiceRuleShape.omit({ connectionId: true }).extend({ connection: name }))
    .max(connectionChoiceLimits.rules)
    .default([]),
  fallback: name.optional(),
})
const textOrFile = (what: string) =>
  z.union([z.string().min(1), z.strictObject({ fromFile: source.fromFile })], { error: `${what} as a block of text, or {fromFile: path}` })
const clientId = z.string().regex(/^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/, 'letters, digits and . _ ~ -, and neither . nor ..')

export const tenantShape = z.strictObject({
  version: z.literal(1, { error: 'this Drawbridge reads version: 1' }),
  tenant: z.strictObject({
    slug: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'lower-case letters, digits and hyphens, at most 63'),
    name,
  }),
  /** Who is told when somebody changes how the tenant's people sign in. */
  contacts: z.array(contact).max(announcementLimits.contacts).optional(),
  /** Who hears when access ends. The broker makes their secrets, and shows each once. */
  webhooks: z.array(newWebhook).max(webhookLimits.endpoints).optional(),
  provisioning: z.enum(provisioningModes).optional(),
  logout: z.strictObject({ grantsOutliveLogout: z.boolean() }).optional(),
  /** By which algorithm its tokens are signed; it takes a day to be in force. */
  tokens: z.strictObject({ algorithm: z.enum(tokenAlgorithms) }).optional(),
  /** In which ways clients may become known; what is left out is open. */
  clientRegistration: clientRegistrationShape.optional(),
  /** Devices may ask for access by a code that a person types elsewhere. */
  deviceGrant: z.strictObject({ enabled: z.boolean() }).optional(),
  /** Whose software statements are believed, whole. */
  softwareStatements: softwareStatementsShape.optional(),
  /** What is demanded of tokens that are bound to a key, whole. */
  dpop: dpopRulesShape.optional(),
  pushedRequests: z.strictObject({ required: z.boolean() }).optional(),
  /** What clients, and resource servers that ask for it, may be told of people. */
  userinfo: toldOfPeopleShape.optional(),
  /** Which scopes of shared resources are granted to whoever names none, whole. */
  defaultScopes: defaultScopesShape.optional(),
  /** By which `sub` clients that say nothing know people. */
  subjectTypes: subjectTypeRulesShape.optional(),
  loginTracing: z.strictObject({ recordClaims: z.boolean() }).optional(),
  /** Decisions on logins are recorded for a week, with claims, for policies to be tried on. */
  loginRecording: z.strictObject({ recordLogins: z.boolean() }).optional(),
  policy: textOrFile('the policy').optional(),
  /** Of the policy, and published with it: they must hold. */
  policyCases: textOrFile('its test cases').optional(),
  connections: z.array(connection).max(tenantLimits.connections).optional(),
  /** Whose assertions are accepted at the token endpoint. */
  assertionTrusts: z.array(assertionTrust).max(tenantLimits.assertionTrusts).optional(),
  domains: z.array(domain).max(tenantLimits.domains).optional(),
  connectionChoice: choiceShape.optional(),
  resources: z
    .array(newResource.extend({ withdrawn: z.boolean().default(false) }))
    .max(tenantLimits.resources)
    .optional(),
  /** Of the vendor, by identifier. */
  sharedResources: z.array(z.string().min(1).max(2048)).max(tenantFileLimits.rows).optional(),
  clients: z
    .array(newClient.safeExtend({ clientId, blocked: z.boolean().default(false) }))
    .max(tenantFileLimits.rows)
    .optional(),
  /** Which clients may exchange whose tokens for which resource. */
  tokenExchange: tokenExchangeShape.optional(),
  /** Which clients may have ID-JAGs for which authorization servers of others. */
  idJagIssuing: idJagIssuingShape.optional(),
})

export type TenantFile = z.output<typeof tenantShape>
export type FileContact = NonNullable<TenantFile['contacts']>[number]
export type FileWebhook = NonNullable<TenantFile['webhooks']>[number]
export type FileConnection = NonNullable<TenantFile['connections']>[number]
export type FileTrust = NonNullable<TenantFile['assertionTrusts']>[number]
export type FileDomain = NonNullable<TenantFile['domains']>[number]
export type FileResource = NonNullable<TenantFile['resources']>[number]
export type FileClient = NonNullable<TenantFile['clients']>[number]
export type SecretReference = z.output<typeof secretReference>
