/** Which of an issuer's keys for SAML does what. They are opened at first use: most logins need none of them. */
import { toPrivateKey } from '@drawbridge/crypto/signing-keys'
import type { StoredSigningKey } from '@drawbridge/store/tenant-configuration'
import type { ServiceProvider, ServiceProviderKey } from '@drawbridge/upstream/saml/service-provider'

/** `keys` are in the order of their making; `unseal` answers PKCS #8. */
export function samlKeysOf(
  keys: readonly StoredSigningKey[],
  unseal: (key: StoredSigningKey) => Buffer,
): Omit<ServiceProvider, 'sha1Until'> {
  const inState = (state: string) => keys.filter((key) => key.purpose === 'saml' && key.state === state).map((key) => open(key, unseal))
  const active = inState('active')
  const published = [...active, ...inState('next')]
  return { active: active[0], published, decrypting: [...published, ...inState('retired').slice(-1)] }
}

function open(key: StoredSigningKey, unseal: (key: StoredSigningKey) => Buffer): ServiceProviderKey {
  let opened: ReturnType<typeof toPrivateKey> | undefined
  return { certificate: key.certificate ?? '', privateKey: () => (opened ??= toPrivateKey(unseal(key))) }
}
