/**
 * One issuer whose assertions both companies of a front world may trust, and an agent that brings them: a client of the front and of each company's own
 * issuer by one name, with another secret at each. Whatever that issuer would sign, true or not.
 */
import { randomUUID } from 'node:crypto'
import { type Instant, toSeconds } from '@drawbridge/core/instant'
import { jwtBearerGrantType } from '@drawbridge/core/oauth/jwt-bearer'
import { samlBearerGrantType } from '@drawbridge/core/oauth/saml-bearer'
import { aFixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import { assertionXml, signXml } from '@drawbridge/upstream/saml/fixtures/a-saml-response'
import { aFrontUrl, aSharedResource, baseOf, basic, companyAt, type FrontWorld, type Place, type Posted, rowsOf } from './a-front.js'
import { aSamlIssuer } from './a-saml-agent.js'
import { anAssertionIssuer, anAssertionKey } from './an-assertion-company.js'

export const aBringer = 'bringer'
type Json = Readonly<Record<string, unknown>>
type Company = 'acme' | 'globex'
export type FrontBringer = Awaited<ReturnType<typeof aFrontBringer>>
/** What of a SAML assertion is said otherwise. */
export type SaidOtherwise = { readonly audience?: string; readonly recipient?: string; readonly inResponseTo?: string }

const issuerAt = (place: Place): string => `${aFrontUrl}${baseOf(place)}`

export async function aFrontBringer(world: FrontWorld, now: () => Instant) {
  const [key, samlKey] = [anAssertionKey(), aFixtureKey()]
  const client = {
    ...{ clientId: aBringer, name: 'Bringer', tokenEndpointAuthMethod: 'client_secret_basic' },
    grantTypes: [jwtBearerGrantType, samlBearerGrantType],
  }
  const secrets: Record<string, string> = { front: (await world.call('POST', '/front-issuer/clients', client)).body.clientSecret }
  for (const company of ['acme', 'globex'] as const)
    secrets[company] = (await world.call('POST', `/tenants/${company}/clients`, client)).body.clientSecret
  await rowsOf(world, `UPDATE tenants SET provisioning_mode = 'just_in_time'`)
  const byItself = (place: Place) => basic(aBringer, secrets[place.startsWith('front') ? 'front' : place] ?? '')
  const trust = async (company: Company, configuration: Json): Promise<string> => {
    const made = await world.call('POST', `/tenants/${company}/assertion-trusts`, { name: 'IdP', configuration })
    world.broker.deps.configuration.invalidate()
    return made.body.id
  }
  /** As good as it can be for that place, but for what is said otherwise; `undefined` leaves out. */
  const claimsFor = (place: Place, change: Json = {}): Json => ({
    ...{ iss: anAssertionIssuer, sub: 'ada', aud: issuerAt(place), client_id: aBringer, resource: aSharedResource, scope: 'read write' },
    ...{ jti: randomUUID(), iat: toSeconds(now()), exp: toSeconds(now()) + 120, auth_time: toSeconds(now()) - 60, groups: ['staff'] },
    ...(place.startsWith('front') ? { aud_tenant: companyAt(place) } : {}),
    ...change,
  })
  const at = (seconds: number): string => new Date(now() + seconds * 1000).toISOString()
  const post = (place: Place, form: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>>): Promise<Posted> =>
    world.post(`${baseOf(place)}/token`, form, headers)
  return {
    ...{ key, secrets, byItself },
    /** Trusts in the one issuer, wherever they hold. */
    trust: (company: Company, change: Json = {}) =>
      trust(company, { issuer: anAssertionIssuer, jwks: { keys: [key.jwk] }, at: 'both', ...change }),
    trustSaml: (company: Company, change: Json = {}) =>
      trust(company, {
        ...{ profile: 'saml2-bearer', issuer: aSamlIssuer, certificates: [samlKey.certificate], clients: [aBringer], at: 'both' },
        ...change,
      }),
    /** Whatever either trusts is forgotten, with what it opened. */
    distrust: async (): Promise<void> => {
      const trusts = await rowsOf<{ id: string; slug: string }>(
        world,
        `SELECT c.id, t.slug FROM connections c JOIN tenants t ON t.id = c.tenant_id WHERE c.kind = 'assertion'`,
      )
      for (const { id, slug } of trusts)
        await world.call('POST', `/tenants/${slug}/assertion-trusts/${id}/kill`, { reason: 'another test' })
      await rowsOf(world, `UPDATE connections SET configuration = '{}' WHERE kind = 'assertion'`)
      world.broker.deps.configuration.invalidate()
    },
    assertion: (place: Place, change?: Json, header: Json = {}): Promise<string> => key.sign(header, claimsFor(place, change)),
    claimsFor,
    saml: (place: Place, { audience = `${aFrontUrl}/t/${companyAt(place)}`, recipient, inResponseTo }: SaidOtherwise = {}): string => {
      const id = `_${randomUUID()}`
      const said = `${inResponseTo === undefined ? '' : `InResponseTo="${inResponseTo}" `}Recipient="${recipient ?? `${issuerAt(place)}/token`}"`
      const xml = assertionXml({
        ...{ id, attributes: `Version="2.0" IssueInstant="${at(0)}"` },
        nameId: '<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">ada</saml:NameID>',
        confirmationData: `${said} NotOnOrAfter="${at(120)}"`,
        conditionsAttributes: `NotOnOrAfter="${at(120)}"`,
        conditions: `<saml:AudienceRestriction><saml:Audience>${audience}</saml:Audience></saml:AudienceRestriction>`,
        authnStatement: '',
        attributeStatement:
          '<saml:AttributeStatement><saml:Attribute Name="groups"><saml:AttributeValue>staff</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>',
      })
      return Buffer.from(signXml(xml, id, samlKey)).toString('base64url')
    },
    bring: (
      place: Place,
      assertion: string,
      form: Readonly<Record<string, string>> = {},
      headers: Readonly<Record<string, string>> = byItself(place),
    ) => post(place, { grant_type: jwtBearerGrantType, assertion, ...form }, headers),
    /** The tenant is named, at the front. */
    bringSaml: (place: Place, assertion: string, form: Readonly<Record<string, string>> = {}, headers = byItself(place)) =>
      post(
        place,
        {
          ...{ grant_type: samlBearerGrantType, assertion, resource: aSharedResource, scope: 'read' },
          ...(place.startsWith('front') ? { tenant: companyAt(place) } : {}),
          ...form,
        },
        headers,
      ),
  }
}
