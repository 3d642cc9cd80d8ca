/**
 * A NameID that the IdP encrypts, of a login or of a logout (Shibboleth does as soon as our metadata offers a key).
 *
 * Here a signature that covers the cipher text has held already, so whoever sees our answer cannot have changed it to learn from it.
 *
 * @spec SAML Core §2.2.4 EncryptedID
 */
import { err, type Result } from '@drawbridge/core/result'
import type { SamlConnection } from '../connection-configuration.js'
import type { UpstreamRefusal } from '../error.js'
import { type NameId, nameIdOf } from './assertion-reader.js'
import { decryptAssertion } from './decrypt-assertion.js'
import { type Element, isNamed, namespaces, readElement } from './element.js'
import { readEncryptedAssertion } from './encrypted-assertion.js'
import { prescan } from './prescan.js'
import type { ServiceProvider } from './service-provider.js'

export function openNameId(
  encrypted: Element,
  {
    connection,
    serviceProvider,
  }: {
    readonly connection: Pick<SamlConnection, 'encryption' | 'contentEncryption'>
    readonly serviceProvider: Pick<ServiceProvider, 'decrypting'>
  },
): Result<NameId, UpstreamRefusal> {
  if (connection.encryption === 'off') return err({ reason: 'saml_name_id_encrypted' })
  const read = readEncryptedAssertion(encrypted, connection.contentEncryption)
  if (!read.ok) return read
  if (serviceProvider.decrypting.length === 0) return err({ reason: 'sp_key_missing' })
  const keys = serviceProvider.decrypting.map(({ privateKey }) => privateKey())
  const text = decryptAssertion(read.value, keys)
  return text === undefined ? err({ reason: 'saml_decryption_failed' }) : readInside(text)
}

function readInside(text: string): Result<NameId, UpstreamRefusal> {
  const scanned = prescan(text)
  if (!scanned.ok) return scanned
  const root = readElement(text)
  if (!root.ok) return root
  if (!isNamed(root.value, namespaces.assertion, 'NameID')) return err({ reason: 'saml_encryption_shape_invalid' })
  const nameId = nameIdOf(root.value)
  return nameId.ok && nameId.value.value === '' ? err({ reason: 'saml_name_id_missing' }) : nameId
}
