/** Our signature over what we ask an IdP: over the octets of a query, or enveloped in the message. */
import { createSign } from 'node:crypto'
import { SignedXml } from 'xml-crypto'
import type { RequestSignature } from './configuration.js'
import { namespaces } from './element.js'
import type { ServiceProviderKey } from './service-provider.js'

const enveloped = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature'

/** @spec RFC 9231 §2.3 */
const algorithms = {
  'rsa-sha256': {
    hash: 'sha256',
    uri: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    digestUri: 'http://www.w3.org/2001/04/xmlenc#sha256',
  },
  'rsa-sha512': {
    hash: 'sha512',
    uri: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
    digestUri: 'http://www.w3.org/2001/04/xmlenc#sha512',
  },
} as const satisfies Record<RequestSignature, object>

/**
 * `query` holds the message and RelayState, percent-encoded; the answer is that query, SigAlg and Signature behind it.
 *
 * @spec SAML Bindings §3.4.4.1 the signature is over the octets of `SAMLRequest=…&RelayState=…&SigAlg=…`
 */
export function signQuery(query: string, key: ServiceProviderKey, algorithm: RequestSignature): string {
  const { hash, uri } = algorithms[algorithm]
  const signed = `${query}&SigAlg=${encodeURIComponent(uri)}`
  const signature = createSign(hash).update(signed, 'ascii').sign(key.privateKey(), 'base64')
  return `${signed}&Signature=${encodeURIComponent(signature)}`
}

/**
 * The message is our own text, so the library parses nothing that a stranger wrote.
 *
 * @spec SAML Core §5.4 enveloped, exclusive canonicalisation, directly behind the Issuer
 */
export function signEnveloped(xml: string, id: string, key: ServiceProviderKey, algorithm: RequestSignature): string {
  const { uri, digestUri } = algorithms[algorithm]
  const signer = new SignedXml({
    privateKey: key.privateKey(),
    publicCert: key.certificate,
    signatureAlgorithm: uri,
    canonicalizationAlgorithm: namespaces.exclusiveC14n,
  })
  signer.addReference({
    xpath: `/*[@ID='${id}']`,
    transforms: [enveloped, namespaces.exclusiveC14n],
    digestAlgorithm: digestUri,
  })
  signer.computeSignature(xml, { prefix: 'ds', location: { reference: "/*/*[local-name(.)='Issuer']", action: 'after' } })
  return signer.getSignedXml()
}
