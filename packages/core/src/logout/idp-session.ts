/**
 * By which names a session at the IdP is known on our side, and which of them a logout ends.
 *
 * Every session that we opened has two: one of the session, one of the person as the IdP names her. A logout names sessions, or a person
 * without one. Names are hashed: what is searched by has one length, whatever an IdP writes, and says nothing of a person.
 */
import { createHash } from 'node:crypto'
import type { IdpSession } from '../identity/normalized-identity.js'

export type NameId = NonNullable<IdpSession['nameId']>
export type IdpSessionName = Buffer

/** What an IdP says has ended. Whoever makes one has verified who says so: a logout token or a LogoutRequest, signed. */
export type IdpSessionEnd =
  | { readonly protocol: 'oidc'; readonly issuer: string; readonly sid: string; readonly sub: string | undefined }
  | { readonly protocol: 'oidc'; readonly issuer: string; readonly sid: undefined; readonly sub: string }
  | { readonly protocol: 'saml'; readonly nameId: NameId; readonly own: OwnQualifiers; readonly sessionIndexes: readonly string[] }

/** What the qualifiers of a NameID may say without saying more than the message does: its IdP, by each of its names, and we. */
export type OwnQualifiers = { readonly idp: readonly string[]; readonly sp: string }

const nameOf = (kind: string, ...parts: readonly (string | null)[]): IdpSessionName =>
  createHash('sha256')
    .update(JSON.stringify([kind, ...parts]), 'utf8')
    .digest()

const unspecifiedFormat = 'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified'

/**
 * Byte for byte as received, the qualifiers with it: SAML Core §3.3.4. But a Format that is not written is the unspecified one (§2.2.2), and
 * IdPs write it at a login and leave it out at a logout. They do so with qualifiers, too: `spellingsOf`.
 */
const partsOf = ({ value, format, nameQualifier, spNameQualifier }: NameId): readonly (string | null)[] => [
  value,
  format === undefined || format === unspecifiedFormat ? null : format,
  nameQualifier ?? null,
  spNameQualifier ?? null,
]

const oidcSession = (issuer: string, sid: string) => nameOf('oidc session', issuer, sid)
const oidcSubject = (issuer: string, sub: string) => nameOf('oidc subject', issuer, sub)
const unnamedOidcSession = (issuer: string, sub: string) => nameOf('oidc session without sid', issuer, sub)
const samlSession = (nameId: NameId, index: string) => nameOf('saml session', ...partsOf(nameId), index)
const samlSubject = (nameId: NameId) => nameOf('saml subject', ...partsOf(nameId))
const unnamedSamlSession = (nameId: NameId) => nameOf('saml session without index', ...partsOf(nameId))

export type IdpSessionNames = { readonly session: IdpSessionName; readonly subject: IdpSessionName }

/** `undefined`: the IdP gave no name by which it could ever end this session. */
export function namesOfIdpSession({ nameId, sessionIndex, sid, subject }: IdpSession): IdpSessionNames | undefined {
  if (nameId)
    return {
      session: sessionIndex === undefined ? unnamedSamlSession(nameId) : samlSession(nameId, sessionIndex),
      subject: samlSubject(nameId),
    }
  if (!subject) return undefined
  const { issuer, sub } = subject
  return {
    session: sid === undefined ? unnamedOidcSession(issuer, sub) : oidcSession(issuer, sid),
    subject: oidcSubject(issuer, sub),
  }
}

/** A qualifier that says what the message says anyway may as well be left out, and the other way round. Any other is somebody else's. */
const spellingsOfQualifier = (written: string | undefined, own: readonly string[]): readonly (string | undefined)[] =>
  written === undefined || own.includes(written) ? [undefined, ...own] : [written]

/**
 * However a login may have written the name that a logout says. Spelt out here, and not made one there: a session that is open keeps the name
 * that it has, and our own logout says it as received.
 *
 * @spec SAML Core §8.3.7 qualifiers may be omitted where the context of the message says them; §8.3.8 the same
 */
const spellingsOf = (nameId: NameId, { idp, sp }: OwnQualifiers): readonly NameId[] =>
  spellingsOfQualifier(nameId.nameQualifier, idp).flatMap((nameQualifier) =>
    spellingsOfQualifier(nameId.spNameQualifier, [sp]).map((spNameQualifier) => ({ ...nameId, nameQualifier, spNameQualifier })),
  )

/** As many sessions as one logout names one by one. */
export const mostNamedSessions = 20

/**
 * Every name under which something has ended, sorted, each once. A person named without a session has lost all of hers. Sessions named beside
 * a person end, and with them those of hers that the IdP never named: they cannot be told apart, and a logout must not miss one. More sessions
 * than anybody has, each of which would be locked by its name, are all of hers.
 *
 * @spec OIDC Back-Channel Logout §2.7 a logout token without sid ends every session of the subject
 * @spec SAML Core §3.7.1 a LogoutRequest without SessionIndex ends every session of the principal
 */
export function namesOfEnd(end: IdpSessionEnd): readonly IdpSessionName[] {
  if (end.protocol === 'saml') {
    const { sessionIndexes } = end
    const spellings = spellingsOf(end.nameId, end.own)
    if (sessionIndexes.length === 0 || sessionIndexes.length > mostNamedSessions) return distinct(spellings.map(samlSubject))
    return distinct(spellings.flatMap((id) => [unnamedSamlSession(id), ...sessionIndexes.map((index) => samlSession(id, index))]))
  }
  const { issuer, sid, sub } = end
  if (sid === undefined) return [oidcSubject(issuer, sub)]
  return distinct([oidcSession(issuer, sid), ...(sub === undefined ? [] : [unnamedOidcSession(issuer, sub)])])
}

/** One order for everybody who locks by names, so that none waits for another in a circle. */
export const distinct = (names: readonly IdpSessionName[]): readonly IdpSessionName[] =>
  [...new Map(names.map((name) => [name.toString('hex'), name])).values()].sort((one, other) => one.compare(other))
