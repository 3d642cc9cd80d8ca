/** A publisher of software, whose statements a company believes: set up as an admin does it, signed by a library of strangers. */
import type { StatementChange } from '@drawbridge/conformance/requirement'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { expect } from 'vitest'
import type { Company, Hands } from './a-product.js'

const publisher = 'https://publisher.example'

export async function aPublisherOf(product: Hands, company: Company): Promise<(change?: StatementChange) => Promise<string>> {
  const [{ privateKey, publicKey }, stranger] = [await generateKeyPair('ES256'), await generateKeyPair('ES256')]
  const issuers = [{ issuer: publisher, jwks: { keys: [{ ...(await exportJWK(publicKey)), kid: 'one' }] } }]
  const chosen = await product.admin('PUT', `/tenants/${company}/software-statements`, { required: false, issuers })
  expect(chosen).toMatchObject({ status: 200 })
  return ({ claims, byStranger } = {}) =>
    new SignJWT({ iss: publisher, software_id: 'stated', redirect_uris: ['https://stated.example/callback'], ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'one', typ: 'JWT' })
      .sign(byStranger === true ? stranger.privateKey : privateKey)
}
