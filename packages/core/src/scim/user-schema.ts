/** The attributes of users and of the enterprise extension. RFC 7643 §4.1 and §4.3. What is not listed is kept and given back all the same. */
import { type Attribute, attribute } from './attribute.js'
import type { Schema } from './schema.js'

export const userSchema = 'urn:ietf:params:scim:schemas:core:2.0:User'
export const enterpriseUserSchema = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'

const sub = (name: string, description: string, over: Partial<Attribute> = {}): Attribute => attribute(name, description, over)

/** A list of the ordinary form: value, display, type, primary. */
const list = (name: string, description: string, types?: readonly string[], over: Partial<Attribute> = {}): Attribute =>
  attribute(name, description, {
    multiValued: true,
    subAttributes: [
      sub('value', 'The value itself', over),
      sub('display', 'The value as people read it'),
      sub('type', 'What the value is for', types === undefined ? {} : { canonicalValues: types }),
      sub('primary', 'At most one is the primary one', { type: 'boolean' }),
    ],
  })

const personal: readonly Attribute[] = [
  // As long as a stable id may be, and short enough for PostgreSQL to index in any script.
  sub('userName', 'The name by which the directory knows the person', {
    required: true,
    uniqueness: 'server',
    mostCharacters: 512,
    binding: true,
  }),
  sub('name', 'The parts of the name', {
    subAttributes: [
      sub('formatted', 'The whole name'),
      sub('familyName', 'The family name'),
      sub('givenName', 'The given name'),
      sub('middleName', 'The middle name'),
      sub('honorificPrefix', 'What stands before the name'),
      sub('honorificSuffix', 'What stands behind the name'),
    ],
  }),
  sub('displayName', 'The name that is shown'),
  sub('nickName', 'The name among friends'),
  sub('profileUrl', 'A page about the person', { type: 'reference', referenceTypes: ['external'], caseExact: true }),
  sub('title', 'The title in the company'),
  sub('userType', 'How the person belongs to the company'),
  sub('preferredLanguage', 'As in Accept-Language'),
  sub('locale', 'For dates, times and sums'),
  sub('timezone', 'By its name in the time zone database'),
  sub('active', 'false: the person may do nothing here, at once', { type: 'boolean', binding: true }),
  sub('password', 'Accepted, never kept', { mutability: 'writeOnly', returned: 'never', caseExact: true }),
]

const addresses = attribute('addresses', 'Postal addresses', {
  multiValued: true,
  subAttributes: [
    sub('formatted', 'The whole address'),
    sub('streetAddress', 'Street and number'),
    sub('locality', 'Town'),
    sub('region', 'Region'),
    sub('postalCode', 'Postal code'),
    sub('country', 'Country'),
    sub('type', 'What the address is for', { canonicalValues: ['work', 'home', 'other'] }),
    sub('primary', 'At most one is the primary one', { type: 'boolean' }),
  ],
})

const groups = attribute('groups', 'The groups to which the person belongs; changed at the groups', {
  multiValued: true,
  mutability: 'readOnly',
  subAttributes: [
    sub('value', 'The id of the group', { caseExact: true, mutability: 'readOnly' }),
    sub('$ref', 'The address of the group', { type: 'reference', referenceTypes: ['Group'], caseExact: true, mutability: 'readOnly' }),
    sub('display', 'The name of the group', { mutability: 'readOnly' }),
    sub('type', 'How the person belongs to it', { mutability: 'readOnly', canonicalValues: ['direct', 'indirect'] }),
  ],
})

export const user: Schema = {
  id: userSchema,
  name: 'User',
  description: 'A person of the directory',
  attributes: [
    ...personal,
    list('emails', 'E-mail addresses', ['work', 'home', 'other']),
    list('phoneNumbers', 'Telephone numbers', ['work', 'home', 'mobile', 'fax', 'pager', 'other']),
    list('ims', 'Addresses for instant messages'),
    list('photos', 'Pictures', ['photo', 'thumbnail'], { type: 'reference', referenceTypes: ['external'], caseExact: true }),
    addresses,
    groups,
    list('entitlements', 'What the person may do, as the directory says it'),
    { ...list('roles', 'The roles of the person, as the directory says them'), unwrapsJson: true },
    list('x509Certificates', 'Certificates of the person', undefined, { type: 'binary', caseExact: true }),
  ],
}

export const enterpriseUser: Schema = {
  id: enterpriseUserSchema,
  name: 'EnterpriseUser',
  description: 'What companies say of the people who work for them',
  attributes: [
    sub('employeeNumber', 'The number of the employee'),
    sub('costCenter', 'The cost centre'),
    sub('organization', 'The organization'),
    sub('division', 'The division'),
    sub('department', 'The department'),
    sub('manager', 'The manager of the person', {
      subAttributes: [
        sub('value', 'The id of the manager', { caseExact: true }),
        sub('$ref', 'The address of the manager', { type: 'reference', referenceTypes: ['User'], caseExact: true }),
        sub('displayName', 'The name of the manager'),
      ],
    }),
  ],
}
