/** Keys and secrets that the admin API makes: sealed or hashed before they leave here. */
import type { Instant } from '@drawbridge/core/instant'
import type { TokenAlgorithm } from '@drawbridge/core/oauth/token-algorithm'
import type { IssuerId, TenantId } from '@drawbridge/core/tenant/ids'
import { generateSamlKey } from '@drawbridge/crypto/saml-key'
import { type GeneratedKey, generateSigningKey, generateTokenKey, type JwtPurpose } from '@drawbridge/crypto/signing-keys'
import type { SigningKeyDraft } from '@drawbridge/store/signing-keys'
import type { BrokerDeps } from '../deps.js'

export const randomUuidTenant = (deps: BrokerDeps): TenantId => deps.random.uuid() as TenantId

type Wanted = {
  readonly tenant: TenantId
  readonly issuerId: IssuerId
  readonly purpose: JwtPurpose
  readonly state: 'next' | 'active'
  readonly now: Instant
}

/** A fresh key pair for ES256, its private half sealed to its row. */
export const sealNewKey = (deps: BrokerDeps, wanted: Wanted): SigningKeyDraft =>
  sealKey(deps, wanted, generateSigningKey(deps.random, wanted.purpose))

export const sealNewKeyFor = async (deps: BrokerDeps, wanted: Wanted & { readonly algorithm: TokenAlgorithm }): Promise<SigningKeyDraft> =>
  sealKey(deps, wanted, await generateTokenKey(deps.random, wanted.purpose, wanted.algorithm))

/** `issuer` is what an IdP's admin reads on the certificate: who asks him to trust it. */
export async function sealNewSamlKey(
  deps: BrokerDeps,
  wanted: Omit<Wanted, 'purpose'> & { readonly issuer: string },
): Promise<SigningKeyDraft> {
  const { certificate, ...key } = await generateSamlKey(deps.random, wanted.issuer.replace(/^https?:\/\//, ''), wanted.now)
  return { ...sealKey(deps, wanted, key), certificate }
}

function sealKey(deps: BrokerDeps, wanted: Omit<Wanted, 'purpose'>, { privateKey, ...key }: GeneratedKey): SigningKeyDraft {
  const context = {
    installation: deps.installation.id,
    tenant: wanted.tenant,
    table: 'signing_keys',
    column: 'sealed_private_key',
    row: key.id,
  }
  return {
    ...key,
    issuerId: wanted.issuerId,
    state: wanted.state,
    now: wanted.now,
    sealedPrivateKey: deps.sealer.seal(privateKey, context),
  }
}

export const sealConnectionSecret = (deps: BrokerDeps, tenant: TenantId, connection: string, secret: string): Buffer =>
  deps.sealer.seal(Buffer.from(secret, 'utf8'), {
    installation: deps.installation.id,
    tenant,
    table: 'connections',
    column: 'sealed_secret',
    row: connection,
  })
