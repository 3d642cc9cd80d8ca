/** Single logout with libraries of other people in the IdP's place, both ways: what they send we judge, and what we send they accept. */
import { createRequire } from 'node:module'
import { instant } from '@drawbridge/core/instant'
import { Secret } from '@drawbridge/core/secret'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { systemRandom } from '@drawbridge/crypto/random'
import { type Profile, SAML } from '@node-saml/node-saml'
import samlify from 'samlify'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseConnection, type SamlConnection } from '../connection-configuration.js'
import type { UpstreamAnswer, UpstreamMessage } from '../connector.js'
import { samlConnector } from './connector.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { aServiceProvider } from './fixtures/a-service-provider.js'
import { answerLogout, receivedOf } from './logout.js'
import { logoutUrlsOf, type ServiceProvider } from './service-provider.js'
import { buildSpMetadata } from './sp-metadata.js'
import { type SamlLogoutRequest, verifyLogout } from './verify-logout.js'

const acsUrl = 'https://broker.example/t/acme/saml/c1/acs'
const { browser: sloUrl } = logoutUrlsOf(acsUrl)
const spEntityId = 'https://broker.example/t/acme/saml/c1/metadata'
const idpEntityId = 'urn:acme.idp'
const idpSlo = 'https://idp.acme.example/slo'
const key = aFixtureKey()
const pem = key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
const persistent = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'
const ada = { value: 'ada@acme.example', format: persistent, nameQualifier: undefined, spNameQualifier: undefined }
const now = () => instant(Date.now())

let serviceProvider: ServiceProvider
beforeAll(async () => {
  serviceProvider = await aServiceProvider()
})

type Binding = 'redirect' | 'post'
const bindings: readonly Binding[] = ['redirect', 'post']
const connectionWith = (sloBinding: Binding): SamlConnection => {
  const configuration = { idpEntityId, ssoUrl: 'https://idp.acme.example/sso', certificates: [key.certificate], sloUrl: idpSlo, sloBinding }
  const parsed = parseConnection('saml', configuration)
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  return parsed.value as SamlConnection
}
const partyWith = (binding: Binding) => ({ connection: connectionWith(binding), serviceProvider, random: systemRandom() })

/** As it arrives with us. */
const inQuery = (url: string): UpstreamMessage => ({ binding: 'redirect', query: url.slice(url.indexOf('?') + 1), parameters: new Map() })
const inForm = (fields: Record<string, string>): UpstreamMessage => ({ binding: 'post', parameters: new Map(Object.entries(fields)) })

function judgeRequest(message: UpstreamMessage): SamlLogoutRequest {
  const verdict = verifyLogout(receivedOf(message), {
    connection: connectionWith('redirect'),
    destination: sloUrl,
    serviceProvider,
    now: now(),
  })
  expect(verdict).toMatchObject({
    ok: true,
    value: { kind: 'request', nameId: { value: ada.value, format: persistent }, sessionIndexes: ['_s1'] },
  })
  if (!verdict.ok || verdict.value.kind !== 'request') throw new Error('no request')
  return verdict.value
}

/** What we send when she signs out here, and what we make of the answer to it. */
async function startHere(binding: Binding, answerOf: (answer: UpstreamAnswer) => Promise<UpstreamMessage>) {
  const connector = samlConnector({ random: systemRandom(), serviceProvider }, 'c1' as ConnectionId, connectionWith(binding))
  const idpSession = { nameId: ada, sessionIndex: '_s1', sid: undefined, subject: { issuer: idpEntityId, sub: ada.value } }
  const started = await connector.startLogout({ returnUrl: sloUrl, relayState: 'r', idpSession, hint: undefined, now: now() })
  if (!started.ok || started.value === 'not_offered') throw new Error('not started')
  const { answer, upstreamId, state } = started.value
  const message = await answerOf(answer)
  return {
    finished: await connector.finishLogout(message, { upstreamId, state, now: now() }),
    other: await connector.finishLogout(message, {
      upstreamId: '_other',
      state: new Secret(JSON.stringify({ requestId: '_other', sloUrl })),
      now: now(),
    }),
  }
}

const answerTo = (request: SamlLogoutRequest, binding: Binding): UpstreamAnswer => {
  const answer = answerLogout(partyWith(binding), { request, answer: 'complete', sloUrl, now: now() })
  if (answer === undefined) throw new Error('no answer')
  return answer
}

/** As Express would hand it on. */
const queryOf = (answer: UpstreamAnswer): Record<string, string> =>
  answer.kind === 'redirect' ? Object.fromEntries(new URL(answer.url).searchParams) : {}
const rawQueryOf = (answer: UpstreamAnswer): string => (answer.kind === 'redirect' ? answer.url.slice(answer.url.indexOf('?') + 1) : '')
const fieldsOf = (answer: UpstreamAnswer): Record<string, string> => (answer.kind === 'form' ? { ...answer.fields } : {})

describe('node-saml', () => {
  const library = () =>
    new SAML({
      ...{ issuer: idpEntityId, logoutUrl: sloUrl, callbackUrl: idpSlo, entryPoint: sloUrl },
      ...{ idpCert: serviceProvider.published.map(({ certificate }) => certificate), privateKey: pem, signatureAlgorithm: 'sha256' },
    })
  const user = { issuer: idpEntityId, nameID: ada.value, nameIDFormat: persistent, sessionIndex: '_s1' }

  test('its LogoutRequest by redirect is judged, and our answer is believed by it', async () => {
    const request = judgeRequest(inQuery(await library().getLogoutUrlAsync(user, 'state', {})))
    expect(request.relayState).toBe('state')
    const answer = answerTo(request, 'redirect')
    expect(await library().validateRedirectAsync(queryOf(answer), rawQueryOf(answer))).toMatchObject({ loggedOut: true })
  })

  test.each(bindings)('it reads our LogoutRequest by %s, and we read its answer', async (binding) => {
    const { finished, other } = await startHere(binding, async (answer) => {
      const read =
        binding === 'redirect'
          ? await library().validateRedirectAsync(queryOf(answer), rawQueryOf(answer))
          : await library().validatePostRequestAsync(fieldsOf(answer))
      expect(read.profile).toMatchObject({ issuer: spEntityId, nameID: ada.value, nameIDFormat: persistent, sessionIndex: '_s1' })
      return inQuery(await library().getLogoutResponseUrlAsync(read.profile as Profile, 'r', {}, true))
    })
    expect(finished).toEqual({ ok: true, value: 'ended' })
    expect(other).toMatchObject({ ok: false, error: { reason: 'saml_logout_unsolicited' } })
  })

  test('an answer that nothing has ended there is told as such', async () => {
    const { finished } = await startHere('redirect', async (answer) => {
      const { profile } = await library().validateRedirectAsync(queryOf(answer), rawQueryOf(answer))
      return inQuery(await library().getLogoutResponseUrlAsync(profile as Profile, 'r', {}, false))
    })
    expect(finished).toMatchObject({ ok: false, error: { reason: 'saml_logout_failed' } })
  })
})

describe('samlify', () => {
  samlify.setSchemaValidator({ validate: async () => 'fine' })
  const service = (binding: Binding) => samlify.Constants.namespace.binding[binding]
  const idp = () =>
    samlify.IdentityProvider({
      ...{ entityID: idpEntityId, privateKey: pem, signingCert: key.certificate.replace(/-----[^-]+-----|\s/g, '') },
      requestSignatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
      ...{ wantLogoutRequestSigned: true, wantLogoutResponseSigned: true, nameIDFormat: [persistent] },
      messageSigningOrder: 'encrypt-then-sign',
      singleSignOnService: [{ Binding: service('redirect'), Location: 'https://idp.acme.example/sso' }],
      singleLogoutService: bindings.map((binding) => ({ Binding: service(binding), Location: idpSlo })),
    })
  /** As it knows us: by our own metadata. Of two signing certificates it takes neither where a query is signed. */
  const us = () =>
    samlify.ServiceProvider({
      metadata: buildSpMetadata({
        connection: { ...connectionWith('redirect'), nameIdFormat: persistent },
        acsUrl,
        serviceProvider: { published: serviceProvider.published.slice(0, 1) },
      }),
      ...{ wantLogoutRequestSigned: true, wantLogoutResponseSigned: true },
    })
  const user = { logoutNameID: ada.value, sessionIndex: '_s1' }

  /** Its redirects are URLs, its posts base64. */
  const sent = (binding: Binding, made: { readonly context: string }, name: 'SAMLRequest' | 'SAMLResponse'): UpstreamMessage =>
    binding === 'redirect' ? inQuery(made.context) : inForm({ [name]: made.context })
  /** It verifies over the octets that it is given, in the order of the binding. */
  const received = (answer: UpstreamAnswer) => ({
    ...{ query: queryOf(answer), body: fieldsOf(answer) },
    octetString: rawQueryOf(answer).replace(/&Signature=.*$/, ''),
  })

  test.each(bindings)('its LogoutRequest by %s is judged, and our answer is believed by it', async (binding) => {
    const request = judgeRequest(sent(binding, idp().createLogoutRequest(us(), binding, user) as { context: string }, 'SAMLRequest'))
    const read = await idp().parseLogoutResponse(us(), binding, received(answerTo(request, binding)))
    expect(read.extract).toMatchObject({ issuer: spEntityId, response: { inResponseTo: request.id, destination: idpSlo } })
  })

  test.each(bindings)('it reads our LogoutRequest by %s, and we read its answer', async (binding) => {
    const { finished } = await startHere(binding, async (answer) => {
      const read = await idp().parseLogoutRequest(us(), binding, received(answer))
      expect(read.extract).toMatchObject({ issuer: spEntityId, nameID: ada.value, sessionIndex: '_s1' })
      return sent(binding, idp().createLogoutResponse(us(), { ...read }, binding, 'r') as { context: string }, 'SAMLResponse')
    })
    expect(finished).toEqual({ ok: true, value: 'ended' })
  })
})

describe('samlp, the library of Auth0', () => {
  type Request = { readonly query: Record<string, string>; readonly body: Record<string, string>; session: Record<string, unknown> }
  type Response = { set(): void; send(body: unknown): void; redirect(url: string): void }
  type Samlp = { logout(options: Record<string, unknown>): (request: Request, response: Response, next: (error: unknown) => void) => void }
  const samlp = createRequire(import.meta.url)('samlp') as Samlp
  const uris = { redirect: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect', post: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST' }

  /** One sign-out at it, over as many messages as it takes. */
  function anIdp(binding: Binding) {
    const session = {
      ...{ serviceProviderId: spEntityId, nameId: ada.value, nameIdFormat: persistent, sessionIndex: '_s1' },
      ...{ serviceProviderLogoutURL: sloUrl, cert: serviceProvider.active?.certificate, binding: uris[binding] },
    }
    const participants = [session]
    const list = createRequire(createRequire(import.meta.url).resolve('samlp'))('./sessionParticipants') as new (of: unknown[]) => unknown
    const middleware = samlp.logout({
      ...{ issuer: idpEntityId, cert: key.certificate, key: pem, deflate: true, destination: sloUrl, protocolBinding: uris[binding] },
      ...{ signatureAlgorithm: 'rsa-sha256', digestAlgorithm: 'sha256', sessionParticipants: new list(participants) },
    })
    const browserSession = {}
    const hand = (answer?: UpstreamAnswer): Promise<unknown> =>
      new Promise((done, fail) => {
        const response = { set: () => undefined, send: done, redirect: done }
        middleware({ query: answer ? queryOf(answer) : {}, body: answer ? fieldsOf(answer) : {}, session: browserSession }, response, fail)
      })
    return { hand, participants }
  }
  const messageOf = (binding: Binding, said: unknown): UpstreamMessage => {
    if (binding === 'redirect') return inQuery(said as string)
    const fields = [...(said as string).matchAll(/name="(\w+)"\s+value="([^"]*)"/g)].map(
      ([, name, value]) => [name as string, decodeHtml(value as string)] as const,
    )
    return inForm(Object.fromEntries(fields))
  }
  const decodeHtml = (text: string) =>
    text
      .replace(/&#x([0-9a-f]+);/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
      .replace(/&#(\d+);/g, (_all, code: string) => String.fromCharCode(Number(code)))

  test.each(bindings)('its LogoutRequest by %s is judged, and our answer ends its session', async (binding) => {
    const idp = anIdp(binding)
    const request = judgeRequest(messageOf(binding, await idp.hand()))
    expect(await idp.hand(answerTo(request, binding))).toBe(200)
    expect(idp.participants).toEqual([])
  })

  test.each(bindings)('it ends its session on our LogoutRequest by %s, and we read its answer', async (binding) => {
    const idp = anIdp(binding)
    const { finished } = await startHere(binding, async (answer) => messageOf(binding, await idp.hand(answer)))
    expect(finished).toEqual({ ok: true, value: 'ended' })
    expect(idp.participants).toEqual([])
  })
})
