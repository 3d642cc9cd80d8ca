/**
 * The SAML libraries of npm, in this process: what it costs each to write a request and to say yes to a response. They hold no login, no
 * replay and no database; what a product needs beside them is not in their figures.
 */
import { createPrivateKey } from 'node:crypto'
import { instant } from '@drawbridge/core/instant'
import { systemRandom } from '@drawbridge/crypto/random'
import { generateSamlKey } from '@drawbridge/crypto/saml-key'
import { asParameter, type BenchIdp } from '../bench-idp.js'
import { median } from '../closed-loop.js'
import type { Column } from '../federation.js'
import { loadPeer } from './peer-packages.js'

type Library = {
  readonly name: string
  /** The URL to which a browser would be sent. */
  readonly authorize: () => Promise<string>
  /** The NameID, or an exception. */
  readonly accept: (parameter: string) => Promise<string | undefined>
  readonly acceptEncrypted: (parameter: string) => Promise<string | undefined>
}

const party = { acsUrl: 'https://sp.bench.example/acs', audience: 'https://sp.bench.example/metadata' }
const asked = { ...party, requestId: '_bench', person: 'ada' }
const rounds = 5
const calls = { full: { authorize: 500, response: 60 }, trial: { authorize: 5, response: 3 } } as const

export async function measureLibraries(folder: string, idp: BenchIdp, isTrial: boolean): Promise<readonly Column[]> {
  const made = await generateSamlKey(systemRandom(), 'bench', instant(Date.now()))
  const decryption = { certificate: made.certificate, privateKey: pemOf(made.privateKey) }
  const size = calls[isTrial ? 'trial' : 'full']
  const columns: Column[] = []
  for (const library of [nodeSaml(folder, idp, decryption), samlify(folder, idp, decryption)]) {
    console.error(`  ${library.name} …`)
    const [plain, encrypted] = [idp.answer(asked), idp.answer(asked, made.certificate)].map(asParameter) as [string, string]
    await expectHonest(library, plain, encrypted)
    columns.push({
      name: library.name,
      figures: {
        authorize: { serverCpuMs: await cpuMs(() => library.authorize(), size.authorize) },
        signed: { serverCpuMs: await cpuMs(() => library.accept(plain), size.response) },
        encrypted: { serverCpuMs: await cpuMs(() => library.acceptEncrypted(encrypted), size.response) },
      },
    })
  }
  return columns
}

/** Who accepts a changed response has not looked, and has no figure. */
async function expectHonest(library: Library, plain: string, encrypted: string): Promise<void> {
  const tampered = tamper(plain)
  for (const accept of [library.accept, library.acceptEncrypted]) {
    const outcome = await accept(tampered).then(
      () => 'accepted',
      () => 'refused',
    )
    if (outcome === 'accepted') throw new Error(`${library.name} accepted a response that was changed: its figures would be void`)
  }
  for (const named of [await library.accept(plain), await library.acceptEncrypted(encrypted)])
    if (named !== 'ada@bench.example') throw new Error(`${library.name} read ${named} where Ada signs in`)
}

/** Another person, under the signature of the first. */
export const tamper = (parameter: string): string =>
  asParameter(
    Buffer.from(parameter, 'base64')
      .toString('utf8')
      .replaceAll(/ada\d*@bench\.example/g, 'eve@bench.example'),
  )

async function cpuMs(run: () => Promise<unknown>, count: number): Promise<number> {
  for (let call = 0; call < count; call += 1) await run()
  const found: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const before = process.cpuUsage()
    for (let call = 0; call < count; call += 1) await run()
    const { user, system } = process.cpuUsage(before)
    found.push((user + system) / 1000 / count)
  }
  return median(found)
}

const pemOf = (pkcs8: Buffer): string =>
  createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }).export({ format: 'pem', type: 'pkcs8' }).toString()

type Decryption = { readonly certificate: string; readonly privateKey: string }

type NodeSaml = {
  readonly SAML: new (
    options: object,
  ) => {
    getAuthorizeUrlAsync(relayState: string, host: string, options: object): Promise<string>
    validatePostResponseAsync(body: { SAMLResponse: string }): Promise<{ profile: { nameID: string } | null }>
  }
}

function nodeSaml(folder: string, idp: BenchIdp, { privateKey }: Decryption): Library {
  const { SAML } = loadPeer<NodeSaml>(folder, '@node-saml/node-saml')
  const saml = new SAML({
    ...{ callbackUrl: party.acsUrl, entryPoint: idp.ssoUrl, issuer: party.audience, audience: party.audience, idpCert: idp.certificate },
    ...{ idpIssuer: idp.entityId, wantAssertionsSigned: true, wantAuthnResponseSigned: false, decryptionPvk: privateKey },
  })
  const accept = async (SAMLResponse: string) => (await saml.validatePostResponseAsync({ SAMLResponse })).profile?.nameID
  return { name: 'node-saml', authorize: () => saml.getAuthorizeUrlAsync('relay', '', {}), accept, acceptEncrypted: accept }
}

type Samlify = {
  setSchemaValidator(validator: { validate(xml: string): Promise<unknown> }): void
  IdentityProvider(settings: object): object
  ServiceProvider(settings: object): {
    createLoginRequest(idp: object, binding: 'redirect'): { context: string }
    parseLoginResponse(idp: object, binding: 'post', request: object): Promise<{ extract: { nameID: string } }>
  }
}

function samlify(folder: string, idp: BenchIdp, { privateKey }: Decryption): Library {
  const library = loadPeer<Samlify>(folder, 'samlify')
  // It demands one; the others check no schema either.
  library.setSchemaValidator({ validate: () => Promise.resolve('skipped') })
  const plain = library.IdentityProvider({ metadata: idp.metadata })
  const encrypting = library.IdentityProvider({
    metadata: idp.metadata,
    isAssertionEncrypted: true,
    messageSigningOrder: 'sign-then-encrypt',
  })
  const sp = library.ServiceProvider({
    ...{ entityID: party.audience, authnRequestsSigned: false, wantAssertionsSigned: true, encPrivateKey: privateKey },
    assertionConsumerService: [{ Binding: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST', Location: party.acsUrl }],
  })
  const acceptFrom = (from: object) => async (SAMLResponse: string) =>
    (await sp.parseLoginResponse(from, 'post', { body: { SAMLResponse } })).extract.nameID
  return {
    name: 'samlify',
    authorize: async () => sp.createLoginRequest(plain, 'redirect').context,
    accept: acceptFrom(plain),
    acceptEncrypted: acceptFrom(encrypting),
  }
}
