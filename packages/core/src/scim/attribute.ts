/** What is known of an attribute: the characteristics from which validation, filters, PATCH and discovery follow. RFC 7643 §2.2. */
export type AttributeType = 'string' | 'boolean' | 'decimal' | 'integer' | 'dateTime' | 'binary' | 'reference' | 'complex'

export type Attribute = {
  readonly name: string
  readonly type: AttributeType
  readonly multiValued: boolean
  readonly description: string
  readonly required: boolean
  readonly caseExact: boolean
  readonly mutability: 'readOnly' | 'readWrite' | 'immutable' | 'writeOnly'
  readonly returned: 'always' | 'never' | 'default' | 'request'
  readonly uniqueness: 'none' | 'server' | 'global'
  readonly canonicalValues?: readonly string[]
  readonly referenceTypes?: readonly string[]
  readonly subAttributes: readonly Attribute[]
  /**
   * What it says has an effect here, so a value of another type is refused. Of all others such a value is kept as it came: a person who has
   * left must not stay because the directory's template writes her title in a strange way.
   */
  readonly binding?: true
  /** How many values it may have, where that is not the ordinary limit. */
  readonly mostValues?: number
  /** Its `value` may be an object with `value` and `displayName`, written as JSON into a text (Entra's roles). */
  readonly unwrapsJson?: true
  /** Longest text, where that is not the ordinary limit. */
  readonly mostCharacters?: number
}

/** The defaults of RFC 7643 §2.2. */
export const attribute = (name: string, description: string, over: Partial<Attribute> = {}): Attribute => ({
  name,
  type: over.subAttributes === undefined ? 'string' : 'complex',
  multiValued: false,
  description,
  required: false,
  caseExact: false,
  mutability: 'readWrite',
  returned: 'default',
  uniqueness: 'none',
  subAttributes: [],
  ...over,
})

/** What of an attribute is not our own bookkeeping, as the Schemas endpoint tells it. RFC 7643 §7. */
export function attributeDocument(one: Attribute): { readonly [name: string]: never } {
  const { subAttributes, mostValues: _values, mostCharacters: _characters, unwrapsJson: _unwraps, binding: _binding, ...rest } = one
  const documents = subAttributes.map(attributeDocument)
  return { ...rest, ...(documents.length === 0 ? {} : { subAttributes: documents }) } as unknown as { readonly [name: string]: never }
}
