/** Where people of a connection record the value by which their directory's user is theirs. */
import type { SubjectLink } from '@drawbridge/core/identity/subject-link'
import type { ConnectionConfiguration } from './connection-configuration.js'

/** In whichever claims are mapped from that attribute, and in the stable id where the attribute is what the stable id is made of. */
export function subjectLinkOf({ kind, scimLinkKey: key, mapping }: ConnectionConfiguration): SubjectLink | undefined {
  if (key === undefined) return undefined
  const protocols = kind === 'saml' ? 'NameID' : 'sub'
  // Several attributes together are equal to none of them: then only a claim that is mapped from it tells.
  const stable =
    mapping.stableId.from === 'attribute' ? mapping.stableId.name : mapping.stableId.from === 'protocol' ? protocols : undefined
  const claims = mapping.claims.filter((rule) => rule.from.includes(key.attribute)).map((rule) => rule.claim)
  return { scim: key.scim, claims, isStableId: stable === key.attribute }
}
