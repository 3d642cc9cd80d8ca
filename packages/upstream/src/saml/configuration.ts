/** How we speak to a SAML IdP and how much we believe of it; the meaning of each member is in `connection-configuration`. */
import { z } from 'zod'

export const requestSignatures = ['rsa-sha256', 'rsa-sha512'] as const
export type RequestSignature = (typeof requestSignatures)[number]

export const skewLimits = { defaultSeconds: 180, mostSeconds: 300 } as const
const mostParameters = 10

/** What the protocol says in the query is ours to say. @spec SAML Bindings §3.4.4.1 */
const protocolParameters: readonly string[] = ['samlrequest', 'samlresponse', 'relaystate', 'sigalg', 'signature', 'samlencoding']

const address = z.string().min(1).max(1024)

export const samlPartyMembers = {
  signRequests: z.boolean().default(false),
  requestSignature: z.enum(requestSignatures).default('rsa-sha256'),
  requestedClassComparison: z.enum(['exact', 'minimum', 'maximum', 'better']).default('exact'),
  requestParameters: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/), z.string().max(256)).default({}),
  encryption: z.enum(['off', 'accepted', 'required']).default('off'),
  contentEncryption: z.enum(['gcm', 'gcm-or-cbc']).default('gcm'),
  authnInstant: z.enum(['trusted', 'when-forced', 'untrusted']).default('trusted'),
  responseBinding: z.enum(['post', 'redirect']).default('post'),
  sloUrl: address.optional(),
  sloResponseUrl: address.optional(),
  sloBinding: z.enum(['redirect', 'post']).default('redirect'),
  sloIssuer: address.optional(),
  clockSkewSeconds: z.number().int().min(0).max(skewLimits.mostSeconds).default(skewLimits.defaultSeconds),
}
export type SamlPartySettings = Readonly<z.output<z.ZodObject<typeof samlPartyMembers>>>

export const pickSamlParty = (from: SamlPartySettings): SamlPartySettings => ({
  signRequests: from.signRequests,
  requestSignature: from.requestSignature,
  requestedClassComparison: from.requestedClassComparison,
  requestParameters: from.requestParameters,
  encryption: from.encryption,
  contentEncryption: from.contentEncryption,
  authnInstant: from.authnInstant,
  responseBinding: from.responseBinding,
  sloUrl: from.sloUrl,
  sloResponseUrl: from.sloResponseUrl,
  sloBinding: from.sloBinding,
  sloIssuer: from.sloIssuer,
  clockSkewSeconds: from.clockSkewSeconds,
})

/** What no single member can tell: combinations that could never sign anybody in, or that would overwrite the protocol. */
export function findSamlMistake(
  settings: SamlPartySettings & { readonly forceAuthn: boolean; readonly loginHintParameter?: string | undefined },
): { readonly member: string; readonly message: string } | undefined {
  if (settings.sloResponseUrl !== undefined && settings.sloUrl === undefined)
    return { member: 'sloResponseUrl', message: 'there is no sloUrl that it could stand beside' }
  const names = Object.keys(settings.requestParameters)
  if (names.length > mostParameters) return { member: 'requestParameters', message: `at most ${mostParameters}` }
  const taken = names.find((name) => protocolParameters.includes(name.toLowerCase()) || name === settings.loginHintParameter)
  if (taken !== undefined) return { member: `requestParameters.${taken}`, message: 'this parameter is ours' }
  if (settings.forceAuthn && settings.authnInstant === 'untrusted')
    return { member: 'authnInstant', message: 'a fresh login is demanded and nothing that the IdP says of it would count' }
  return undefined
}
