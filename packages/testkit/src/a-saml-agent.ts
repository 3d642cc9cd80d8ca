/** An issuer of SAML assertions whom a company trusts, and an agent that brings them: whatever the issuer would sign, true or not. */
import { randomUUID } from 'node:crypto'
import { samlBearerGrantType } from '@drawbridge/core/oauth/saml-bearer'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { aFixtureKey, type FixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import { type AssertionParts, assertionXml, type SignOptions, signXml } from '@drawbridge/upstream/saml/fixtures/a-saml-response'
import { type AnAssertionCompany, type AssertionAnswer, anAgent } from './an-assertion-company.js'

export const aSamlIssuer = 'https://idp.acme.example/saml'

export type ASamlAgent = ReturnType<typeof aSamlAgent>
/** What of an assertion is said otherwise. `signIn`: seconds from now, `undefined` says nothing of one. */
export type SaidInSaml = {
  readonly name?: string
  readonly recipient?: string
  readonly audience?: string
  readonly ends?: number
  readonly made?: number
  readonly inResponseTo?: string
  readonly signIn?: number | undefined
  readonly classRef?: string
  readonly groups?: readonly string[]
  readonly parts?: Partial<AssertionParts>
}

const mfa = 'https://refeds.org/profile/mfa'

export function aSamlAgent(acme: AnAssertionCompany) {
  const key: FixtureKey = aFixtureKey()
  const at = (seconds: number): string => new Date(acme.now() + seconds * 1000).toISOString()
  const xmlOf = (said: SaidInSaml = {}): string => {
    const { name = 'ada', recipient = `${acme.issuer()}/token`, audience = acme.issuer(), ends = 120, made = 0, classRef = mfa } = said
    const { groups = ['staff'], inResponseTo } = said
    const signIn = 'signIn' in said ? said.signIn : -60
    const values = groups.map((group) => `<saml:AttributeValue>${group}</saml:AttributeValue>`).join('')
    const context = `<saml:AuthnContext><saml:AuthnContextClassRef>${classRef}</saml:AuthnContextClassRef></saml:AuthnContext>`
    return assertionXml({
      id: `_${randomUUID()}`,
      attributes: `Version="2.0" IssueInstant="${at(made)}"`,
      nameId: `<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">${name}</saml:NameID>`,
      confirmationData: `${inResponseTo === undefined ? '' : `InResponseTo="${inResponseTo}" `}Recipient="${recipient}" NotOnOrAfter="${at(ends)}"`,
      conditionsAttributes: `NotOnOrAfter="${at(ends)}"`,
      conditions: `<saml:AudienceRestriction><saml:Audience>${audience}</saml:Audience></saml:AudienceRestriction>`,
      authnStatement:
        signIn === undefined ? '' : `<saml:AuthnStatement AuthnInstant="${at(signIn)}" SessionIndex="_s">${context}</saml:AuthnStatement>`,
      attributeStatement: `<saml:AttributeStatement><saml:Attribute Name="groups">${values}</saml:Attribute></saml:AttributeStatement>`,
      ...said.parts,
    })
  }
  const sign = (xml: string, by: FixtureKey = key, how?: SignOptions): string => signXml(xml, /ID="([^"]+)"/.exec(xml)?.[1] ?? '', by, how)
  const assertion = (said?: SaidInSaml): string => sign(xmlOf(said))
  return {
    ...{ key, xmlOf, sign, assertion },
    /** Of the company as it is now. */
    trust: (configuration: Readonly<Record<string, unknown>> = {}): Promise<ConnectionId> =>
      acme.trust({
        ...{ profile: 'saml2-bearer', issuer: aSamlIssuer, certificates: [key.certificate], clients: [anAgent.id] },
        ...configuration,
      }),
    redeem: (
      xml: string,
      form: Readonly<Record<string, string>> = {},
      headers?: Readonly<{ authorization: string }> & Readonly<Record<string, string>>,
      url?: string,
    ): Promise<AssertionAnswer & { readonly headers: Headers }> =>
      acme.redeem(
        Buffer.from(xml).toString('base64url'),
        { grant_type: samlBearerGrantType, resource: acme.tenant().resource, scope: 'read write', ...form },
        headers,
        url,
      ),
  }
}
