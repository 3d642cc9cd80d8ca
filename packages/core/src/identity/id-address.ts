/** Which ids of a person are e-mail addresses by their own declaration: such a one is claimed like any address, and held to the domains of others. */
import { type ClaimMapping, defaultClaimMapping } from './claim-mapping.js'
import { addressClaims } from './email-address.js'
import type { IdentityAssertion } from './identity-assertion.js'

const emailAddressFormat = 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress'

/**
 * The NameID whose format says that it is an address, whatever the stable id is made of; and the attributes of the stable id that this mapping
 * or our own reads as one. Any other id is opaque, `sub` included: with its scope a subject-id looks like an address and is none.
 *
 * @spec SAML Core §8.3.2 emailAddress
 */
export function addressesInIds(assertion: IdentityAssertion, mapping: ClaimMapping): readonly string[] {
  const nameId = assertion.kind === 'saml' && assertion.nameId?.format === emailAddressFormat ? [assertion.nameId.value] : []
  const rules = [...mapping.claims, ...defaultClaimMapping.claims].filter(({ claim }) => addressClaims.includes(claim))
  const read = new Set(rules.flatMap(({ from }) => from))
  return [
    ...nameId,
    ...attributesOfId(mapping)
      .filter((name) => read.has(name))
      .flatMap((name) => textsOf(assertion, name)),
  ]
}

function attributesOfId({ stableId }: ClaimMapping): readonly string[] {
  if (stableId.from === 'protocol') return []
  return stableId.from === 'attribute' ? [stableId.name] : stableId.names
}

/** One text: an attribute of several values makes no stable id. */
function textsOf(assertion: IdentityAssertion, name: string): readonly string[] {
  const value = assertion.kind === 'saml' ? assertion.attributes.get(name) : assertion.claims.get(name)
  const [text, ...others]: readonly unknown[] = Array.isArray(value) ? value : [value]
  return typeof text === 'string' && others.length === 0 ? [text] : []
}
