/** What an IdP may encrypt with: an allow-list. RSA with PKCS #1 v1.5 padding is not on it, because who may ask often enough can decrypt it. */
import type { SamlConnection } from '../connection-configuration.js'

export type ContentCipher = { readonly name: 'aes-128-gcm' | 'aes-256-gcm' | 'aes-128-cbc' | 'aes-256-cbc'; readonly keyOctets: 16 | 32 }

/** @spec XML Encryption 1.1 §5.2 */
const contentCiphers: ReadonlyMap<string, ContentCipher> = new Map([
  ['http://www.w3.org/2009/xmlenc11#aes256-gcm', { name: 'aes-256-gcm', keyOctets: 32 }],
  ['http://www.w3.org/2009/xmlenc11#aes128-gcm', { name: 'aes-128-gcm', keyOctets: 16 }],
  ['http://www.w3.org/2001/04/xmlenc#aes256-cbc', { name: 'aes-256-cbc', keyOctets: 32 }],
  ['http://www.w3.org/2001/04/xmlenc#aes128-cbc', { name: 'aes-128-cbc', keyOctets: 16 }],
])
export const contentCipherOf = (uri: string): ContentCipher | undefined => contentCiphers.get(uri)
export const isAuthenticated = ({ name }: ContentCipher): boolean => name.endsWith('gcm')

export type OaepHash = 'sha1' | 'sha256'
/** The digest of the label, and that of the mask generation function. */
export type Oaep = { readonly digest: OaepHash; readonly mask: OaepHash }

/** Its mask is made with SHA-1, whatever the digest. @spec XML Encryption 1.1 §5.5.2 */
export const oaepMgf1p = 'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p'
/** Its mask is named in an element of its own. @spec XML Encryption 1.1 §5.5.2 */
export const oaepNamedMask = 'http://www.w3.org/2009/xmlenc11#rsa-oaep'
export const oaepDigests: ReadonlyMap<string, OaepHash> = new Map([
  ['http://www.w3.org/2000/09/xmldsig#sha1', 'sha1'],
  ['http://www.w3.org/2001/04/xmlenc#sha256', 'sha256'],
])
export const oaepMasks: ReadonlyMap<string, OaepHash> = new Map([
  ['http://www.w3.org/2009/xmlenc11#mgf1sha1', 'sha1'],
  ['http://www.w3.org/2009/xmlenc11#mgf1sha256', 'sha256'],
])

/** In the order in which we prefer them, which IdPs that read it follow. */
export const offeredEncryption = (content: SamlConnection['contentEncryption']): readonly string[] => [
  ...[...contentCiphers].filter(([, cipher]) => content === 'gcm-or-cbc' || isAuthenticated(cipher)).map(([uri]) => uri),
  oaepMgf1p,
  oaepNamedMask,
]
