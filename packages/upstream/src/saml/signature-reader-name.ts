/** The readers that a connection may choose between. The names are those of the packages. */
export const signatureReaderNames = ['xml-signature', 'xml-crypto'] as const
export type SignatureReaderName = (typeof signatureReaderNames)[number]
