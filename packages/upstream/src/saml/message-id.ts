/** The ID of a message of ours. */
import type { Random } from '@drawbridge/crypto/random'

/** SAML Core §1.3.4 wants at least 128 bits. */
const idBytes = 20

/** Starts with `_`: Entra refuses a leading digit, and an xs:ID may not have one. */
export const newMessageId = (random: Random): string => `_${random.bytes(idBytes).toString('hex')}`
