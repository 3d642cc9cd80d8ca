/** People in many groups, as IdPs write them: what no limit may refuse, or is said to. */
import { assertionXml, responseXml, signXml } from '@drawbridge/upstream/saml/fixtures/a-saml-response'
import { idpKeys } from './hostile-shapes.js'

const signer = idpKeys[7] as (typeof idpKeys)[number]
/** Each value with a type and its namespaces, as Okta and AD FS write it. */
const typed = ' xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string"'

type Written = { readonly count: number; readonly name: (index: number) => string; readonly attributes?: string }
const objectId = (index: number): string => `9f3a0c1e-5b7d-4c2f-8a6e-${String(index).padStart(12, '0')}`
const teamName = (index: number): string => `engineering-team-${index}`

function inGroups({ count, name, attributes = '' }: Written): string {
  const values = Array.from({ length: count }, (_, index) => `<saml:AttributeValue${attributes}>${name(index)}</saml:AttributeValue>`).join(
    '',
  )
  const statement = `<saml:AttributeStatement><saml:Attribute Name="groups">${values}</saml:Attribute></saml:AttributeStatement>`
  return signXml(responseXml({ assertions: assertionXml({ attributeStatement: statement }) }), '_assertion1', signer)
}
const signedTwice = (written: Written): string => signXml(inGroups(written), '_response1', signer)

export const honestMessages: readonly { readonly name: string; readonly message: string }[] = [
  { name: '150 groups by object id', message: inGroups({ count: 150, name: objectId }) },
  { name: '150 typed groups, signed twice', message: signedTwice({ count: 150, name: teamName, attributes: typed }) },
  { name: '300 typed groups, signed twice', message: signedTwice({ count: 300, name: teamName, attributes: typed }) },
  { name: '500 typed groups', message: inGroups({ count: 500, name: teamName, attributes: typed }) },
  { name: '1000 groups by name', message: inGroups({ count: 1000, name: teamName }) },
  { name: '1000 groups by name, signed twice', message: signedTwice({ count: 1000, name: teamName }) },
]
