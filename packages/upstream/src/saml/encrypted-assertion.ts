/**
 * The one shape that an encrypted assertion may have. It is read before anything is decrypted, from what nobody has vouched for: it can
 * only refuse.
 *
 * The key is inside (EncryptedData/KeyInfo/EncryptedKey: AD FS, Okta, Entra) or beside and pointed to (RetrievalMethod: Shibboleth). Which
 * certificate it says it is for is not asked: our own keys are tried.
 *
 * @spec SAML Core §2.3.4 EncryptedAssertion, §6.2 combining signatures and encryption
 * @spec XML Encryption 1.1 §3
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { SamlConnection } from '../connection-configuration.js'
import type { UpstreamErrorReason, UpstreamRefusal } from '../error.js'
import { attributeOf, childrenNamed, type Element, isNamed, namespaces, textOf } from './element.js'
import {
  type ContentCipher,
  contentCipherOf,
  isAuthenticated,
  type Oaep,
  oaepDigests,
  oaepMasks,
  oaepMgf1p,
  oaepNamedMask,
} from './encryption-algorithms.js'
import type { WrappedKey } from './unwrap-key.js'

export const encryptionNamespace = 'http://www.w3.org/2001/04/xmlenc#'
const encryption11Namespace = 'http://www.w3.org/2009/xmlenc11#'
const elementType = `${encryptionNamespace}Element`
const keyType = `${encryptionNamespace}EncryptedKey`

export type EncryptedAssertion = { readonly cipher: ContentCipher; readonly content: Buffer; readonly key: WrappedKey }

type Read<T> = Result<T, UpstreamRefusal>
const refuse = (reason: UpstreamErrorReason): Result<never, UpstreamRefusal> => err({ reason })
const misshapen = refuse('saml_encryption_shape_invalid')

export function readEncryptedAssertion(element: Element, accepted: SamlConnection['contentEncryption']): Read<EncryptedAssertion> {
  const [data, ...beside] = element.children
  if (data === undefined || !isEncryption(data, 'EncryptedData') || !beside.every((child) => isEncryption(child, 'EncryptedKey')))
    return misshapen
  if ((attributeOf(data, 'Type') ?? elementType) !== elementType) return misshapen
  const cipher = readContentCipher(data, accepted)
  if (!cipher.ok) return cipher
  const content = readCipherValue(data)
  const encryptedKey = findEncryptedKey(data, beside)
  if (content === undefined || encryptedKey === undefined) return misshapen
  const key = readEncryptedKey(encryptedKey, cipher.value.keyOctets)
  return key.ok ? ok({ cipher: cipher.value, content, key: key.value }) : key
}

function readContentCipher(data: Element, accepted: SamlConnection['contentEncryption']): Read<ContentCipher> {
  const method = only(data, 'EncryptionMethod')
  if (method === undefined || method.children.length > 0) return misshapen
  const cipher = contentCipherOf(attributeOf(method, 'Algorithm') ?? '')
  if (cipher === undefined) return refuse('saml_encryption_refused')
  return isAuthenticated(cipher) || accepted === 'gcm-or-cbc' ? ok(cipher) : refuse('saml_encryption_cbc_refused')
}

/** One EncryptedKey in all. Beside the data it must be pointed to, unless the data says nothing of a key at all. */
function findEncryptedKey(data: Element, beside: readonly Element[]): Element | undefined {
  const [keyInfo, second] = childrenNamed(data, namespaces.signature, 'KeyInfo')
  if (second !== undefined) return undefined
  const inside = keyInfo === undefined ? [] : childrenNamed(keyInfo, encryptionNamespace, 'EncryptedKey')
  const [found, more] = [...inside, ...beside]
  if (more !== undefined || found === undefined || inside.length === 1) return more === undefined ? found : undefined
  const [pointer, other] = keyInfo === undefined ? [] : childrenNamed(keyInfo, namespaces.signature, 'RetrievalMethod')
  if (pointer === undefined) return found
  const pointsTo = attributeOf(pointer, 'Type') === keyType && attributeOf(pointer, 'URI') === `#${attributeOf(found, 'Id') ?? ''}`
  return other === undefined && pointer.children.length === 0 && pointsTo ? found : undefined
}

function readEncryptedKey(element: Element, keyOctets: number): Read<WrappedKey> {
  const method = only(element, 'EncryptionMethod')
  if (method === undefined) return misshapen
  const paddings = readPaddings(method)
  if (paddings === undefined) return refuse('saml_encryption_refused')
  const wrapped = readCipherValue(element)
  return wrapped === undefined ? misshapen : ok({ wrapped, paddings, keyOctets })
}

/** SHA-1 where nothing is said. @spec XML Encryption 1.1 §5.5.2 */
function readPaddings(method: Element): readonly Oaep[] | undefined {
  const algorithm = attributeOf(method, 'Algorithm')
  const digests = childrenNamed(method, namespaces.signature, 'DigestMethod')
  const masks = childrenNamed(method, encryption11Namespace, 'MGF')
  if (digests.length > 1 || masks.length > 1 || digests.length + masks.length !== method.children.length) return undefined
  const digest = digests[0] === undefined ? 'sha1' : oaepDigests.get(attributeOf(digests[0], 'Algorithm') ?? '')
  if (digest === undefined) return undefined
  if (algorithm === oaepNamedMask) {
    const mask = masks[0] === undefined ? 'sha1' : oaepMasks.get(attributeOf(masks[0], 'Algorithm') ?? '')
    return mask === undefined ? undefined : [{ digest, mask }]
  }
  if (algorithm !== oaepMgf1p || masks.length > 0) return undefined
  // Libraries on Node and .NET take the digest for the mask, too, against the specification; there is no telling which one wrote.
  return digest === 'sha1'
    ? [{ digest, mask: 'sha1' }]
    : [
        { digest, mask: 'sha1' },
        { digest, mask: digest },
      ]
}

/** Strict base64 in lines. A reference to a cipher text elsewhere is not followed. */
function readCipherValue(element: Element): Buffer | undefined {
  const data = only(element, 'CipherData')
  const value = data?.children.length === 1 ? only(data, 'CipherValue') : undefined
  const compact = (value === undefined ? '' : (textOf(value) ?? '')).replace(/[ \t\r\n]+/g, '')
  const octets = Buffer.from(compact, 'base64')
  return octets.length > 0 && octets.toString('base64') === compact ? octets : undefined
}

const isEncryption = (element: Element, name: string): boolean => isNamed(element, encryptionNamespace, name)

function only(element: Element, name: string): Element | undefined {
  const [found, second] = childrenNamed(element, encryptionNamespace, name)
  return second === undefined ? found : undefined
}
