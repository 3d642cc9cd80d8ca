/** Thousands of tenants, each with its issuer, its keys' places and one SAML connection, made by SQL in a second. */
import { asOwner } from '@drawbridge/testkit/database'
import { aFixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'

type Many = { readonly count: number; readonly publicUrl: string }

/** As large as a real one: a certificate, and a mapping of its own. */
export async function insertManyConnections(ownerUrl: string, { count, publicUrl }: Many): Promise<void> {
  const configuration = JSON.stringify({
    idpEntityId: 'https://idp.example/entity',
    ssoUrl: 'https://idp.example/sso',
    certificates: [aFixtureKey().certificate],
    mapping: { claims: { email: { from: ['mail', 'email'] }, department: { from: ['department'] } }, groups: { from: ['groups'] } },
  })
  await asOwner(
    ownerUrl,
    `WITH made AS (
       INSERT INTO tenants (id, slug, name, created_at) SELECT gen_random_uuid(), 'many-' || n, 'Many ' || n, now() FROM generate_series(1, $1) AS n
       RETURNING id, slug),
     issued AS (
       INSERT INTO issuers (tenant_id, id, url, kind, created_at) SELECT id, id, $2 || '/t/' || slug, 'tenant', now() FROM made RETURNING id),
     connected AS (
       INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at)
       SELECT id, id, 'saml', 'Corporate', $3::jsonb || jsonb_build_object('idpEntityId', 'https://idp.example/' || slug), now() FROM made RETURNING id)
     SELECT (SELECT count(*) FROM issued), (SELECT count(*) FROM connected)`,
    [count, publicUrl, configuration],
  )
  await asOwner(ownerUrl, 'ANALYZE')
}
