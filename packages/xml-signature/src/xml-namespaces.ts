/** The namespaces and the algorithm names of the profile. */
export const namespaces = {
  assertion: 'urn:oasis:names:tc:SAML:2.0:assertion',
  signature: 'http://www.w3.org/2000/09/xmldsig#',
  exclusiveC14n: 'http://www.w3.org/2001/10/xml-exc-c14n#',
} as const

export const envelopedSignature = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature'
export const inclusiveC14n = 'http://www.w3.org/TR/2001/REC-xml-c14n-20010315'
