/**
 * Where a subject recorded the value that the connection's link key names: claims of her last login, and the stable id itself if the key
 * is what the stable id is made of.
 */
export type SubjectLink = {
  readonly scim: 'userName' | 'externalId'
  readonly claims: readonly string[]
  readonly isStableId: boolean
}
