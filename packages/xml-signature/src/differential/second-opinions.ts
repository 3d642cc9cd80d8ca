/** Strangers who are asked about the same message: xml-crypto (the engine under node-saml), node-saml as a whole. */
import { createHash, createVerify, type KeyObject } from 'node:crypto'
import { SAML, ValidateInResponseTo } from '@node-saml/node-saml'
import { DOMParser } from '@xmldom/xmldom'
import { SignedXml } from 'xml-crypto'
import { namespaces } from '../xml-namespaces.js'
import { type Identity, identityOf } from './identity.js'
import { saxesTree } from './saxes-tree.js'

/** What the stranger says was signed, in the order root, assertion; undefined if it refuses. */
export type Opinion = { readonly identities: readonly (Identity | undefined)[]; readonly canonical: readonly string[] } | undefined

type DomElement = NonNullable<ReturnType<DOMParser['parseFromString']>['documentElement']>
const elementsIn = (element: DomElement): DomElement[] =>
  Array.from(element.childNodes).filter((node) => node.nodeType === 1) as DomElement[]
const isSignature = (element: DomElement): boolean => element.localName === 'Signature' && element.namespaceURI === namespaces.signature

/** The library with its own DOM, its own canonicalisation and its own reading of the signature; only the algorithms are opened for it. */
export function askXmlCrypto(message: string, keys: readonly KeyObject[]): Opinion {
  try {
    const root = new DOMParser({ errorHandler: { warning: () => undefined, error: stop, fatalError: stop } }).parseFromString(
      message,
      'text/xml',
    ).documentElement
    if (root === null) return undefined
    const owners = [
      root,
      ...elementsIn(root).filter(({ localName, namespaceURI }) => localName === 'Assertion' && namespaceURI === namespaces.assertion),
    ]
    const signatures = owners.flatMap((owner) => elementsIn(owner).filter(isSignature))
    const canonical = signatures.map((signature) => signedBy(signature, message, keys))
    if (canonical.length === 0 || canonical.includes(undefined)) return undefined
    const texts = canonical as string[]
    return { canonical: texts, identities: texts.map((text) => identityIn(text)) }
  } catch {
    return undefined
  }
}

function identityIn(text: string): Identity | undefined {
  const tree = saxesTree(text)
  return tree && identityOf(tree)
}

function signedBy(signature: DomElement, message: string, keys: readonly KeyObject[]): string | undefined {
  const [key] = keys
  if (key === undefined) return undefined
  const library = new SignedXml({ publicCert: key, getCertFromKeyInfo: () => null, idAttributes: ['ID'] } as never)
  openAlgorithms(library, keys)
  library.loadSignature(signature)
  if (!library.checkSignature(message)) return undefined
  const signed = library.getSignedReferences()
  return signed.length === 1 ? signed[0] : undefined
}

/** It knows neither ECDSA nor SHA-384, and takes one key: what it lacks is lent to it, and HMAC is taken away. */
function openAlgorithms(library: SignedXml, keys: readonly KeyObject[]): void {
  const known: Record<string, unknown> = {}
  for (const kind of ['rsa', 'ecdsa'])
    for (const hash of ['sha256', 'sha384', 'sha512'])
      known[`http://www.w3.org/2001/04/xmldsig-more#${kind}-${hash}`] = class {
        verifySignature = (text: string, _key: unknown, value: string): boolean =>
          keys.filter((key) => key.asymmetricKeyType === (kind === 'rsa' ? 'rsa' : 'ec')).some((key) => verifies(hash, text, key, value))
      }
  library.SignatureAlgorithms = known as never
  const digests = library.HashAlgorithms as Record<string, unknown>
  digests['http://www.w3.org/2001/04/xmldsig-more#sha384'] = Sha384
}

const verifies = (hash: string, text: string, key: KeyObject, value: string): boolean =>
  createVerify(hash).update(text).verify({ key, dsaEncoding: 'ieee-p1363' }, value, 'base64')

class Sha384 {
  getAlgorithmName = (): string => 'http://www.w3.org/2001/04/xmldsig-more#sha384'
  getHash = (xml: string): string => createHash('sha384').update(xml, 'utf8').digest('base64')
}

function stop(message: string): never {
  throw new Error(message)
}

/** node-saml as an application would use it. It knows RSA with SHA-256 and SHA-512 and one certificate at a time. */
export function nodeSamlFor(publicKeyPem: string): (message: string) => Promise<string | undefined> {
  const saml = new SAML({
    idpCert: publicKeyPem,
    issuer: 'https://sp.example',
    audience: 'https://sp.example',
    callbackUrl: 'https://sp.example/acs',
    entryPoint: 'https://idp.example/sso',
    wantAuthnResponseSigned: false,
    wantAssertionsSigned: false,
    acceptedClockSkewMs: -1,
    validateInResponseTo: ValidateInResponseTo.never,
  })
  return async (message) => {
    try {
      const { profile } = await saml.validatePostResponseAsync({ SAMLResponse: Buffer.from(message).toString('base64') })
      return profile?.nameID
    } catch {
      return undefined
    }
  }
}
