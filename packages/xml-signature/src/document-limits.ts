/** What one document may cost us. A person with 1500 groups still fits; nothing hostile takes longer than a large honest message. */
export const documentLimits = {
  characters: 256 * 1024,
  depth: 24,
  elements: 4000,
  attributes: 8000,
  attributesPerElement: 24,
  namespaceDeclarations: 4000,
  namespaceDeclarationsPerElement: 12,
  /** A prefix, a local name; SAML's longest has 30 characters. */
  nameLength: 256,
  namespaceLength: 1024,
} as const

export type DocumentLimits = { readonly [Name in keyof typeof documentLimits]: number }
