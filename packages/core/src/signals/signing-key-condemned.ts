/**
 * "This key signs for its issuer no longer, and nothing that it signed is to be believed": the one event of our own.
 *
 * Neither CAEP nor RISC has an event about a transmitter's keys, and a stretched one would be misread. Foreign receivers skip an event type
 * that they do not know (RFC 8417 §2.2) and see the key leave the JWKS; our guard acts on it at once.
 */
export const signingKeyCondemned = 'urn:drawbridge:event:signing-key-condemned'

/** Keys of which resource servers hold copies. Those for SAML they never see. */
export type ToldKeyPurpose = 'tokens' | 'notices'

/** The kind of the outbox entry, and its payload. */
export const condemnedKeyEntry = 'tell-condemned-key'
export type CondemnedKeyPayload = { readonly eventId: string; readonly issuerId: string; readonly kid: string }

/**
 * The subject of the event. Ids of our keys are their SHA-256 thumbprints, for which there is a URI.
 *
 * @spec RFC 9278 §3 JWK thumbprint URI
 * @spec RFC 9493 §3.2.7 uri
 */
export const subjectOfKey = (kid: string): { readonly format: 'uri'; readonly uri: string } => ({
  format: 'uri',
  uri: `urn:ietf:params:oauth:jwk-thumbprint:sha-256:${kid}`,
})
