/**
 * Where a burden may stand in a response: each shape is right in all else, so that nothing refuses it before it has cost what it can.
 * Those under a stranger's signatures can be sent by anybody, those beside or around a signed assertion by whoever has signed in, those
 * inside of what is signed by the admin of an IdP.
 */
import { aFixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import { algorithms, assertionXml, responseXml, type SignOptions, signXml } from '@drawbridge/upstream/saml/fixtures/a-saml-response'
import { aServiceProvider } from '@drawbridge/upstream/saml/fixtures/a-service-provider'
import { encryptAssertion } from '@drawbridge/upstream/saml/fixtures/an-encrypted-assertion'

/** Those of the connection; the last one signs. */
export const idpKeys = Array.from({ length: 8 }, () => aFixtureKey())
export const serviceProvider = await aServiceProvider()
const signer = idpKeys[7] as (typeof idpKeys)[number]
const stranger = aFixtureKey()

const mark = '<placeholder/>'
const extensions = `<samlp:Extensions>${mark}</samlp:Extensions>`
const signTwice = (message: string, key: typeof signer, options: SignOptions = {}): string =>
  signXml(signXml(message, '_assertion1', key, options), '_response1', key, options)

const ownSigned = signXml(responseXml({ extensions }), '_assertion1', signer)
const strangeSigned = signTwice(responseXml({ extensions }), stranger)
const keyInfoOpen = signTwice(responseXml(), signer).replaceAll('</ds:SignatureValue>', `$&<ds:KeyInfo>${mark}</ds:KeyInfo>`)
const firstOnly = (message: string): string => {
  const at = message.lastIndexOf(mark)
  return message.slice(0, at) + message.slice(at + mark.length)
}
const inAdvice = (burden: string): string => responseXml({ assertions: assertionXml({ extra: `<saml:Advice>${burden}</saml:Advice>` }) })
const inclusive: SignOptions = {
  canonicalizationAlgorithm: algorithms.inclusive,
  transforms: [algorithms.enveloped, algorithms.inclusive],
}
/** Some of these are bound by the burdens. */
const prefixList: SignOptions = { prefixList: Array.from({ length: 64 }, (_, index) => `d${index % 20}x${index % 12}`) }
const insideOf = (message: string): string => /<saml:Assertion .*<\/saml:Assertion>/s.exec(message)?.[0] ?? ''
const { certificate } = serviceProvider.active

/** How often the burden stands in the message, in octets of base64 where it is encrypted: what of the limit is left for one. */
export const timesInShape = (shape: string): number => ({ encrypted: 1.4, 'encrypted, in both': 2.4 })[shape] ?? 1

export type HostileShape = { readonly isSigned: boolean; readonly wrap: (burden: string) => string }
const around = (wrap: HostileShape['wrap']): HostileShape => ({ isSigned: false, wrap })
const signed = (wrap: HostileShape['wrap']): HostileShape => ({ isSigned: true, wrap })

export const hostileShapes: Readonly<Record<string, HostileShape>> = {
  'beside a signed assertion': around((burden) => ownSigned.replace(mark, () => burden)),
  'under a stranger’s signatures': around((burden) => strangeSigned.replace(mark, () => burden)),
  'in the KeyInfo of a signature': around((burden) => firstOnly(keyInfoOpen).replace(mark, () => burden)),
  'signed twice': signed((burden) => signTwice(inAdvice(burden), signer)),
  'signed twice, inclusive': signed((burden) => signTwice(inAdvice(burden), signer, inclusive)),
  'signed twice, prefixes listed': signed((burden) => signTwice(inAdvice(burden), signer, prefixList)),
  encrypted: signed((burden) =>
    responseXml({ assertions: encryptAssertion(insideOf(signXml(inAdvice(burden), '_assertion1', signer)), { certificate }) }),
  ),
  'encrypted, in both': signed((burden) => {
    const inside = insideOf(signXml(inAdvice(burden), '_assertion1', signer))
    const message = responseXml({
      extensions: `<samlp:Extensions>${burden}</samlp:Extensions>`,
      assertions: encryptAssertion(inside, { certificate }),
    })
    return signXml(message, '_response1', signer)
  }),
}
