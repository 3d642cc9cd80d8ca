import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalize } from './canonicalize.js'
import { aSigner } from './differential/a-signer.js'
import { messageStream } from './differential/message-stream.js'
import { isSameTree } from './differential/same-tree.js'
import { saxesTree } from './differential/saxes-tree.js'
import { documentLimits } from './document-limits.js'
import { parseDocument } from './parse-document.js'

const reasonOf = (text: string): string | undefined => {
  const parsed = parseDocument(text)
  return parsed.ok ? undefined : parsed.error.reason
}
const limitOf = (text: string): unknown => {
  const parsed = parseDocument(text)
  return parsed.ok ? undefined : parsed.error.detail?.['limit']
}

describe('markup that SAML does not need is refused by its name', () => {
  test.each([
    { text: '<a><!-- --></a>', reason: 'comment' },
    { text: '<a/><!-- -->', reason: 'comment' },
    { text: '<a><![CDATA[x]]></a>', reason: 'cdata' },
    { text: '<a><?x y?></a>', reason: 'processing_instruction' },
    { text: '<?xml-stylesheet href="x"?><a/>', reason: 'processing_instruction' },
    { text: '<a/><?xml version="1.0"?>', reason: 'processing_instruction' },
    { text: '<!DOCTYPE a><a/>', reason: 'doctype' },
    { text: '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', reason: 'doctype' },
    { text: '<a><!ELEMENT x ANY></a>', reason: 'doctype' },
    { text: '<?xml version="1.0" encoding="UTF-16"?><a/>', reason: 'encoding_not_utf8' },
    { text: '<?xml version="1.0" encoding="utf-7"?><a/>', reason: 'encoding_not_utf8' },
  ])('$text: $reason', ({ text, reason }) => expect(reasonOf(text)).toBe(reason))
})

describe('what is not well-formed XML with namespaces, or only just, is refused', () => {
  test.each([
    ...[
      '',
      ' ',
      'a',
      '<',
      '<a',
      '<a>',
      '</a>',
      '<a></b>',
      '<a></a',
      '<a></a b>',
      '<a/><b/>',
      '<a/>x',
      'x<a/>',
      '\uFEFF<a/>',
      '< a/>',
      '<a / >',
      '<a></ a>',
    ],
    ...[
      '<a b/>',
      '<a b=c/>',
      '<a b="1"c="2"/>',
      '<a b="<"/>',
      '<a b="1" b="2"/>',
      '<a "b"/>',
      '<a b=\'1"/>',
      '<1/>',
      '<a:/>',
      '<:a/>',
      '<a:b:c xmlns:a="u:a"/>',
    ],
    ...[
      '<a>&</a>',
      '<a>&x;</a>',
      '<a>&lt</a>',
      '<a>&#0;</a>',
      '<a>&#xD800;</a>',
      '<a>&#x110000;</a>',
      '<a>&#xFFFE;</a>',
      '<a>&#;</a>',
      '<a>&#x;</a>',
      '<a>&#X41;</a>',
      '<a>&#00000065;</a>',
    ],
    ...['<a>]]></a>', '<a>\u0000</a>', '<a>\u0008</a>', '<a>\uFFFF</a>', '<a>\uD800</a>', '<a b="\uDC00"/>', '<é/>', '<a é="1"/>'],
    ...[
      '<p:a/>',
      '<a p:b="1"/>',
      '<a xmlns:p=""/>',
      '<a xmlns:xmlns="u:x"/>',
      '<a xmlns:xml="u:x"/>',
      '<a xmlns:p="http://www.w3.org/XML/1998/namespace"/>',
    ],
    ...[
      '<a xmlns="http://www.w3.org/2000/xmlns/"/>',
      '<a xmlns:p="u:p" xmlns:p="u:q"/>',
      '<a xmlns="relative"/>',
      '<a xmlns:p="u:é"/>',
      '<a xmlns:p="u:a&amp;b"/>',
      '<a xmlns:p="u: "/>',
    ],
    ...[
      '<a xmlns:p="u:x" xmlns:q="u:x" p:b="1" q:b="2"/>',
      '<xmlns:a/>',
      '<xmlns/>',
      '<xml:a/>',
      '<XML/>',
      '<a xmlnsx="1"/>',
      '<a XmlFoo:b="1" xmlns:XmlFoo="u:x"/>',
    ],
    ...[
      '<?xml version="1.1"?><a/>',
      '<?xml version="1.0" standalone="maybe"?><a/>',
      ' <?xml version="1.0"?><a/>',
      '<?xml\u00A0version="1.0"?><a/>',
    ],
  ])('%j', (text) => expect(['xml_malformed', 'processing_instruction']).toContain(reasonOf(text)))
})

describe('what is written and what is meant', () => {
  const attributeIn = (written: string): unknown => {
    const parsed = parseDocument(`<a b=${written}/>`)
    return parsed.ok ? parsed.value.attributes[0]?.value : parsed.error
  }
  const textIn = (written: string): unknown => {
    const parsed = parseDocument(`<a>${written}</a>`)
    return parsed.ok ? parsed.value.text : parsed.error
  }
  test.each([
    { written: '"x\ty\nz"', meant: 'x y z' },
    { written: '"x\r\ny\rz"', meant: 'x y z' },
    { written: '"&#9;&#10;&#13;&#x20;"', meant: '\t\n\r ' },
    { written: "'\"&apos;&quot;'", meant: '"\'"' },
    { written: '"]]>"', meant: ']]>' },
    { written: '"&amp;lt;"', meant: '&lt;' },
  ])('the attribute value $written means $meant', ({ written, meant }) => expect(attributeIn(written)).toBe(meant))
  test.each([
    { written: 'a\r\nb\rc', meant: 'a\nb\nc' },
    { written: '&#13;&#xD;&#xA;', meant: '\r\r\n' },
    { written: '&#x1F600;&#128512;', meant: '😀😀' },
    { written: '&amp;amp; > "', meant: '&amp; > "' },
  ])('the text $written means $meant', ({ written, meant }) => expect(textIn(written)).toBe(meant))
})

describe('every limit', () => {
  const many = (count: number, one: (index: number) => string): string => Array.from({ length: count }, (_, index) => one(index)).join(' ')
  test.each([
    { limit: 'depth', text: '<a>'.repeat(documentLimits.depth + 1) },
    { limit: 'elements', text: `<a>${'<b/>'.repeat(documentLimits.elements)}</a>` },
    { limit: 'attributesPerElement', text: `<a ${many(documentLimits.attributesPerElement + 1, (index) => `b${index}=""`)}/>` },
    { limit: 'attributes', text: `<a>${`<b ${many(24, (index) => `b${index}=""`)}/>`.repeat(334)}</a>` },
    { limit: 'namespaceDeclarationsPerElement', text: `<a ${many(13, (index) => `xmlns:b${index}="u:${index}"`)}/>` },
    { limit: 'namespaceDeclarations', text: `<a>${`<b ${many(12, (index) => `xmlns:b${index}="u:${index}"`)}/>`.repeat(334)}</a>` },
    { limit: 'nameLength', text: `<${'a'.repeat(documentLimits.nameLength + 1)}/>` },
    { limit: documentLimits.characters, text: `<a>${'x'.repeat(documentLimits.characters)}</a>` },
  ])('$limit is kept', ({ limit, text }) => expect(limitOf(text)).toBe(limit))

  test('what is exactly at a limit is read', () => {
    expect(parseDocument('<a>'.repeat(documentLimits.depth) + '</a>'.repeat(documentLimits.depth)).ok).toBe(true)
    expect(parseDocument(`<a>${'<b/>'.repeat(documentLimits.elements - 1)}</a>`).ok).toBe(true)
  })
})

describe('beside a general strict parser', () => {
  const piece = fc.constantFrom(
    '<a>',
    '</a>',
    '<p:b xmlns:p="u:p">',
    '</p:b>',
    '<c d="e"/>',
    'text',
    '&amp;',
    '&#13;',
    ' ',
    '\n',
    '<',
    '>',
    '"',
    '&',
    ']]>',
    '<!--',
    '<?',
    'xmlns="u:x"',
    '𝄞',
    '\u0000',
    "'",
  )
  test('whatever text arrives, parsing does not throw, and what it reads is the tree that saxes reads', () => {
    const property = fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
      ),
      (text) => {
        const parsed = parseDocument(text)
        if (!parsed.ok) return
        const theirs = saxesTree(text.replace(/\r\n?/g, '\n'))
        expect(theirs !== undefined && isSameTree(parsed.value, theirs)).toBe(true)
      },
    )
    fc.assert(property, { numRuns: 2000 })
  })

  test('canonical octets determine the tree: read again they are the same octets', () => {
    let read = 0
    for (const { message } of messageStream(7, [aSigner()])) {
      const first = parseDocument(message)
      if (!first.ok) continue
      const octets = canonicalize([first.value], { kind: 'exclusive', prefixList: [] })
      const second = parseDocument(octets)
      expect(second.ok && canonicalize([second.value], { kind: 'exclusive', prefixList: [] })).toBe(octets)
      read += 1
      if (read === 150) break
    }
  })
})
