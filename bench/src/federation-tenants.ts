/** Tenants whose people come from the bench's own IdP: by either reader of signatures, and encrypted. */
import { generateSamlKey } from '@drawbridge/crypto/saml-key'
import { insertSigningKey } from '@drawbridge/store/signing-keys'
import { inTenant } from '@drawbridge/store/transaction'
import { asOwner } from '@drawbridge/testkit/database'
import type { SignatureReaderName } from '@drawbridge/upstream/saml/signature-reader-name'
import type { BenchIdp } from './bench-idp.js'
import { type Arranged, aTenantWithPeople, type LoginTenant } from './login-tenant.js'

/** `encryptTo`: the certificate, PEM, to which its IdP encrypts. */
export type SamlTenant = LoginTenant & { readonly encryptTo: string | undefined }

/** By reader: an IdP that signs the assertion, and one that encrypts it, too. */
export type FederationTenants = Readonly<Record<SignatureReaderName, { readonly signed: SamlTenant; readonly encrypted: SamlTenant }>>

export async function federationTenants(arranged: Omit<Arranged, 'simulator'>, idp: BenchIdp): Promise<FederationTenants> {
  const both = async (signatureReader: SignatureReaderName) => ({
    signed: await aSamlTenant(arranged, idp, { slug: `signed-${signatureReader}`, signatureReader, encrypted: false }),
    encrypted: await aSamlTenant(arranged, idp, { slug: `encrypted-${signatureReader}`, signatureReader, encrypted: true }),
  })
  return { 'xml-signature': await both('xml-signature'), 'xml-crypto': await both('xml-crypto') }
}

type Wanted = { readonly slug: string; readonly signatureReader: SignatureReaderName; readonly encrypted: boolean }

async function aSamlTenant(arranged: Omit<Arranged, 'simulator'>, idp: BenchIdp, wanted: Wanted): Promise<SamlTenant> {
  const { slug, signatureReader, encrypted } = wanted
  const tenant = await aTenantWithPeople(arranged, { slug, company: 'bench', callback: (id) => `saml/${id}/acs` })
  const { entityId: idpEntityId, ssoUrl, certificate } = idp
  const configuration = {
    ...{ idpEntityId, ssoUrl, certificates: [certificate], signatureReader },
    ...(encrypted && { encryption: 'required' }),
  }
  await asOwner(arranged.fixture.ownerUrl, "UPDATE connections SET kind = 'saml', configuration = $2 WHERE id = $1", [
    tenant.connectionId,
    JSON.stringify(configuration),
  ])
  return { ...tenant, encryptTo: encrypted ? await giveSamlKey(arranged, tenant) : undefined }
}

async function giveSamlKey({ making }: Omit<Arranged, 'simulator'>, { tenantId: tenant, issuerId, slug }: LoginTenant): Promise<string> {
  const { database, sealer, random, installationId, now } = making
  const { privateKey, ...key } = await generateSamlKey(random, `bench/${slug}`, now)
  const context = { installation: installationId, tenant, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
  await inTenant(database, tenant, (db) =>
    insertSigningKey(db, tenant, { ...key, issuerId, state: 'active', now, sealedPrivateKey: sealer.seal(privateKey, context) }),
  )
  return key.certificate
}
