// The examples of the specifications, corner cases by hand, and the canonicaliser of somebody else over generated documents.

import { DOMParser } from '@xmldom/xmldom'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SignedXml } from 'xml-crypto'
import { type Canonicalization, canonicalize } from './canonicalize.js'
import type { Path } from './namespace-context.js'
import { parseDocument } from './parse-document.js'
import type { XmlElement } from './xml-tree.js'

const exclusive = (...prefixList: readonly string[]): Canonicalization => ({ kind: 'exclusive', prefixList })
const inclusive: Canonicalization = { kind: 'inclusive' }

function treeOf(text: string): XmlElement {
  const parsed = parseDocument(text)
  if (!parsed.ok) throw new Error(`${parsed.error.reason}: ${text}`)
  return parsed.value
}

/** From the root to the element of this local name, by the first child that leads there. */
function pathTo(root: XmlElement, name: string): Path {
  if (root.name === name) return [root]
  for (const child of root.children) {
    const rest = pathTo(child, name)
    if (rest.length > 0) return [root, ...rest]
  }
  return []
}

describe('examples of the specifications', () => {
  test('Canonical XML 1.0 §3.3: start and end tags', () => {
    const text = `<doc>
   <e1   />
   <e2   ></e2>
   <e3   name = "elem3"   id="elem3"   />
   <e4   name="elem4"   id="elem4"   ></e4>
   <e5 a:attr="out" b:attr="sorted" attr2="all" attr="I'm" xmlns:b="http://www.ietf.org" xmlns:a="http://www.w3.org" xmlns="http://example.org"/>
   <e6 xmlns="" xmlns:a="http://www.w3.org">
      <e7 xmlns="http://www.ietf.org">
         <e8 xmlns="" xmlns:a="http://www.w3.org">
            <e9 xmlns="" xmlns:a="http://www.ietf.org"/>
         </e8>
      </e7>
   </e6>
</doc>`
    expect(canonicalize([treeOf(text)], inclusive)).toBe(`<doc>
   <e1></e1>
   <e2></e2>
   <e3 id="elem3" name="elem3"></e3>
   <e4 id="elem4" name="elem4"></e4>
   <e5 xmlns="http://example.org" xmlns:a="http://www.w3.org" xmlns:b="http://www.ietf.org" attr="I'm" attr2="all" b:attr="sorted" a:attr="out"></e5>
   <e6 xmlns:a="http://www.w3.org">
      <e7 xmlns="http://www.ietf.org">
         <e8 xmlns="">
            <e9 xmlns:a="http://www.ietf.org"></e9>
         </e8>
      </e7>
   </e6>
</doc>`)
  })

  test('Canonical XML 1.0 §3.4: characters and references', () => {
    const text = `<doc><text>First line&#x0d;&#10;Second line</text><value>&#x32;</value><compute expr='value>"0" &amp;&amp; value&lt;"10" ?"valid":"error"'>valid</compute><norm attr=' &apos;   &#x20;&#13;&#xa;&#9;   &apos; '/></doc>`
    expect(canonicalize([treeOf(text)], inclusive)).toBe(
      `<doc><text>First line&#xD;\nSecond line</text><value>2</value><compute expr="value>&quot;0&quot; &amp;&amp; value&lt;&quot;10&quot; ?&quot;valid&quot;:&quot;error&quot;">valid</compute><norm attr=" '    &#xD;&#xA;&#x9;   ' "></norm></doc>`,
    )
  })

  test('Exclusive Canonicalization §2.2: what surrounds an element does not change its octets', () => {
    const elem2 = '<n1:elem2 xmlns:n1="http://example.net" xml:lang="en"><n3:stuff xmlns:n3="ftp://example.org"/></n1:elem2>'
    const alone = '<n1:elem2 xmlns:n1="http://example.net" xml:lang="en"><n3:stuff xmlns:n3="ftp://example.org"></n3:stuff></n1:elem2>'
    const enveloped = treeOf(
      `<n0:pdu xmlns:n0="http://a.example" xmlns:n1="http://b.example" xmlns:n2="http://c.example" xml:space="retain">${elem2}</n0:pdu>`,
    )
    expect(canonicalize(pathTo(enveloped, 'elem2'), exclusive())).toBe(alone)
    expect(canonicalize(pathTo(enveloped, 'elem2'), inclusive)).toBe(
      '<n1:elem2 xmlns:n0="http://a.example" xmlns:n1="http://example.net" xmlns:n2="http://c.example" xml:lang="en" xml:space="retain"><n3:stuff xmlns:n3="ftp://example.org"></n3:stuff></n1:elem2>',
    )
  })
})

describe('namespaces', () => {
  const apex = (text: string, how: Canonicalization): string => canonicalize(pathTo(treeOf(text), 'x'), how)
  test.each([
    {
      when: 'a prefix is only in a value, it is not shown',
      text: '<r xmlns:xs="u:xs"><x t="xs:string"/></r>',
      how: exclusive(),
      octets: '<x t="xs:string"></x>',
    },
    {
      when: 'a prefix list names it, it is',
      text: '<r xmlns:xs="u:xs"><x t="xs:string"/></r>',
      how: exclusive('xs'),
      octets: '<x xmlns:xs="u:xs" t="xs:string"></x>',
    },
    { when: 'a prefix list names one that nobody bound, nothing is', text: '<r><x/></r>', how: exclusive('xs'), octets: '<x></x>' },
    {
      when: 'the list names the default',
      text: '<r xmlns="u:r"><p:x xmlns:p="u:p"/></r>',
      how: exclusive(''),
      octets: '<p:x xmlns="u:r" xmlns:p="u:p"></p:x>',
    },
    {
      when: 'a listed prefix is bound anew below',
      text: '<x xmlns:p="u:1"><y xmlns:p="u:2"><z xmlns:p="u:2"/></y></x>',
      how: exclusive('p'),
      octets: '<x xmlns:p="u:1"><y xmlns:p="u:2"><z></z></y></x>',
    },
    {
      when: 'the default is undeclared under one that is shown',
      text: '<x xmlns="u:1"><y xmlns=""/></x>',
      how: exclusive(),
      octets: '<x xmlns="u:1"><y xmlns=""></y></x>',
    },
    {
      when: 'the default is undeclared under one that is not shown',
      text: '<r xmlns="u:1"><x xmlns=""/></r>',
      how: exclusive(),
      octets: '<x></x>',
    },
    {
      when: 'a prefix returns to what it was',
      text: '<x><p:a xmlns:p="u:1"><p:b xmlns:p="u:2"/><p:c/></p:a></x>',
      how: exclusive(),
      octets: '<x><p:a xmlns:p="u:1"><p:b xmlns:p="u:2"></p:b><p:c></p:c></p:a></x>',
    },
    {
      when: 'siblings use it',
      text: '<r xmlns:p="u:1"><x><p:a/><p:b/></x></r>',
      how: exclusive(),
      octets: '<x><p:a xmlns:p="u:1"></p:a><p:b xmlns:p="u:1"></p:b></x>',
    },
    {
      when: 'two prefixes mean one namespace, both are shown',
      text: '<x xmlns:a="u:1" xmlns:b="u:1"><a:y b:z=""/></x>',
      how: exclusive(),
      octets: '<x><a:y xmlns:a="u:1" xmlns:b="u:1" b:z=""></a:y></x>',
    },
    {
      when: 'upper and lower case are sorted by code point',
      text: '<x xmlns:a="u:1" xmlns:B="u:2" a:y="" B:y=""/>',
      how: exclusive(),
      octets: '<x xmlns:B="u:2" xmlns:a="u:1" a:y="" B:y=""></x>',
    },
    {
      when: 'xml is declared, it is never shown',
      text: '<x xmlns:xml="http://www.w3.org/XML/1998/namespace" xml:lang="en"/>',
      how: inclusive,
      octets: '<x xml:lang="en"></x>',
    },
    {
      when: 'an ancestor has xml:lang and the element another one',
      text: '<r xml:lang="de" xml:base="u:b"><x xml:lang="en"/></r>',
      how: inclusive,
      octets: '<x xml:base="u:b" xml:lang="en"></x>',
    },
  ])('when $when', ({ text, how, octets }) => expect(apex(text, how)).toBe(octets))
})

describe('beside the canonicaliser of xml-crypto', () => {
  const prefix = fc.constantFrom('', 'a', 'b', 'c')
  const uri = fc.constantFrom('urn:1', 'urn:2', 'http://example.com/3')
  const text = fc.constantFrom('', 'x', ' y ', '&amp;&lt;&gt;', '&#13;', '\t\n', '"\'', '𝄞é', '&#9;&#10;')
  type Node = {
    readonly prefix: string
    readonly declared: string
    readonly attributes: readonly (readonly [string, string])[]
    readonly text: string
    readonly children: readonly Node[]
  }
  const { node } = fc.letrec<{ node: Node }>((tie) => ({
    node: fc.record({
      prefix,
      declared: uri,
      attributes: fc.uniqueArray(fc.tuple(fc.constantFrom('k', 'l', 'M', 'a:k', 'b:z', 'xml:lang'), text), {
        selector: ([name]) => name,
        maxLength: 4,
      }),
      text,
      children: fc.oneof({ maxDepth: 4 }, fc.constant([]), fc.array(tie('node'), { maxLength: 3 })),
    }),
  }))
  const attribute = ([name, value]: readonly [string, string]): string => ` ${name}="${value.replaceAll('"', '&quot;')}"`
  const write = ({ prefix: own, declared, attributes, text: inside, children }: Node): string => {
    const tag = own === '' ? 'e' : `${own}:e`
    const declaration = own === '' ? ` xmlns="${declared}"` : ` xmlns:${own}="${declared}"`
    return `<${tag}${declaration}${attributes.map(attribute).join('')}>${inside}${children.map(write).join('')}</${tag}>`
  }
  const document = node.map((root) => `<r xmlns:a="urn:1" xmlns:b="urn:9" xmlns:c="urn:c">${write(root)}</r>`)
  const theirs = (given: string, algorithm: string): string => {
    const Algorithm = new SignedXml().CanonicalizationAlgorithms[algorithm as 'http://www.w3.org/2001/10/xml-exc-c14n#']
    if (Algorithm === undefined) throw new Error(`xml-crypto has no ${algorithm}`)
    const octets: unknown = new Algorithm().process(new DOMParser().parseFromString(given, 'text/xml').documentElement as never, {})
    if (typeof octets !== 'string') throw new Error('xml-crypto canonicalises to text')
    return octets
  }

  test('exclusive canonical octets of generated documents are the same', () => {
    const property = fc.property(document, (given) => {
      const parsed = parseDocument(given)
      // The same attribute twice, once under each prefix of one namespace, is no XML.
      if (!parsed.ok) return
      expect(canonicalize([parsed.value], exclusive())).toBe(theirs(given, 'http://www.w3.org/2001/10/xml-exc-c14n#'))
    })
    fc.assert(property, { numRuns: 400 })
  })
})
