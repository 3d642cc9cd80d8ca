/** Versions of resources as entity tags, and the conditions that requests put on them. RFC 7644 §3.14, RFC 9110 §13.1. */

/** Weak: two answers of the same version may show different attributes. */
export const versionTag = (version: number): string => `W/"${version}"`

/** The tags that a header lists; `*` is any. */
function listsTag(header: string, tag: string): boolean {
  if (header.trim() === '*') return true
  const opaque = (text: string): string => text.trim().replace(/^W\//, '')
  return header.split(',').some((one) => opaque(one) === opaque(tag))
}

/** If-Match on something that exists. Compared weakly, because all our tags are weak and clients send them back as they came: RFC 7644 §3.14. */
export const meetsIfMatch = (header: string | undefined, tag: string): boolean => header === undefined || listsTag(header, tag)

/** If-None-Match: the client has this version already. */
export const isKnownVersion = (header: string | undefined, tag: string): boolean => header !== undefined && listsTag(header, tag)
