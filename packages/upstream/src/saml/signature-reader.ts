/**
 * The seam between "who signed what" and everything that is decided upon it.
 *
 * Two readers answer the same question, chosen per connection: our own (`@drawbridge/xml-signature`) and the library `xml-crypto`.
 * Every fixture is judged under both.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { SignatureReader } from './read-message.js'
import { allowedAlgorithms } from './signature-algorithms.js'
import type { SignatureReaderName } from './signature-reader-name.js'
import { readWithSha1Too, readWithXmlCrypto } from './xml-crypto-reader.js'
import { readWithXmlSignature } from './xml-signature-reader.js'

export const signatureReaders: Readonly<Record<SignatureReaderName, SignatureReader>> = {
  'xml-signature': readWithXmlSignature,
  'xml-crypto': readWithXmlCrypto,
}

/** The connection's reader; for as long as an admin's exception lasts, the one that knows SHA-1. */
export const readerFor = (name: SignatureReaderName, sha1Until: Instant | undefined, now: Instant): SignatureReader =>
  allowedAlgorithms(sha1Until, now) === 'sha1-too' ? readWithSha1Too : signatureReaders[name]
