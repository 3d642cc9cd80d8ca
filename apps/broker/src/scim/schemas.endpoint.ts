/** The attributes that a directory may send, described as RFC 7643 §7 asks. What is not listed is accepted, kept and given back. */
import { enterpriseUserSchema, type JsonObject, userSchema } from '@drawbridge/core/scim/user'
import { discoveryEndpoints } from './discovery.js'

type Shape = {
  readonly type?: string
  readonly required?: boolean
  readonly caseExact?: boolean
  readonly multiValued?: boolean
  readonly uniqueness?: string
  readonly subAttributes?: readonly JsonObject[]
}

const attribute = (name: string, shape: Shape = {}): JsonObject => ({
  name,
  type: shape.type ?? 'string',
  multiValued: shape.multiValued ?? false,
  description: name,
  required: shape.required ?? false,
  caseExact: shape.caseExact ?? false,
  mutability: 'readWrite',
  returned: 'default',
  uniqueness: shape.uniqueness ?? 'none',
  ...(shape.subAttributes === undefined ? {} : { subAttributes: shape.subAttributes }),
})

const texts = (...names: readonly string[]): readonly JsonObject[] => names.map((name) => attribute(name))
const valued = texts('value', 'display', 'type').concat(attribute('primary', { type: 'boolean' }))
const many = (name: string): JsonObject => attribute(name, { type: 'complex', multiValued: true, subAttributes: valued })

const userAttributes: readonly JsonObject[] = [
  attribute('userName', { required: true, uniqueness: 'server' }),
  attribute('externalId', { caseExact: true }),
  attribute('active', { type: 'boolean' }),
  attribute('name', {
    type: 'complex',
    subAttributes: texts('formatted', 'familyName', 'givenName', 'middleName', 'honorificPrefix', 'honorificSuffix'),
  }),
  ...texts('displayName', 'nickName', 'profileUrl', 'title', 'userType', 'preferredLanguage', 'locale', 'timezone'),
  ...['emails', 'phoneNumbers', 'ims', 'photos', 'entitlements', 'roles'].map(many),
  attribute('addresses', {
    type: 'complex',
    multiValued: true,
    subAttributes: texts('formatted', 'streetAddress', 'locality', 'region', 'postalCode', 'country', 'type'),
  }),
]

const enterpriseAttributes: readonly JsonObject[] = [
  ...texts('employeeNumber', 'costCenter', 'organization', 'division', 'department'),
  attribute('manager', { type: 'complex', subAttributes: texts('value', '$ref', 'displayName') }),
]

export const schemasEndpoints = discoveryEndpoints('Schemas', 'RFC 7643 §7', 'The attributes of users', (baseUrl) =>
  [
    { id: userSchema, name: 'User', attributes: userAttributes },
    { id: enterpriseUserSchema, name: 'EnterpriseUser', attributes: enterpriseAttributes },
  ].map((schema) => ({
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:Schema'],
    ...schema,
    description: schema.name,
    meta: { resourceType: 'Schema', location: `${baseUrl}/Schemas/${schema.id}` },
  })),
)
