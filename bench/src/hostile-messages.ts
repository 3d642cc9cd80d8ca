/** Messages that are nothing but a burden, each of the size that is asked for or as near as the limits let it be. */
const kilobyte = 1024
export const hostileSizes = [30 * kilobyte, 128 * kilobyte, 255 * kilobyte] as const

const filled = (unit: string, size: number): string => unit.repeat(Math.floor((size - 20) / unit.length))
const numbered = (count: number, one: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => one(index)).join(' ')
const declarations = (depth: number): string => numbered(12, (index) => `xmlns:d${depth}x${index}="urn:${depth}:${index}"`)

/** Twelve prefixes at each of twenty levels, and leaves at the bottom that use and bind some of them. */
function manyNamespacesAtDepth(size: number): string {
  const depths = Array.from({ length: 20 }, (_, depth) => depth)
  const open = depths.map((depth) => `<e ${declarations(depth)}>`).join('')
  const leaf = '<l xmlns:q="urn:q" d0x0:a="" d11x3:b=""/>'
  return open + leaf.repeat(Math.min(3700, Math.max(0, Math.floor((size - open.length) / leaf.length)))) + '</e>'.repeat(depths.length)
}

const longNamespace = (size: number, length: number): string =>
  `<a xmlns:p="urn:${'x'.repeat(length)}">${'<p:b/>'.repeat(Math.min(3990, Math.max(0, Math.floor((size - length) / 6))))}</a>`

export const hostileMessages: Readonly<Record<string, (size: number) => string>> = {
  'text of entities': (size) => `<a>${filled('&amp;', size)}</a>`,
  'text of character references': (size) => `<a>${filled('&#13;', size)}</a>`,
  'attribute of entities': (size) => `<a b="${filled('&quot;', size)}"/>`,
  'attribute of tabs': (size) => `<a b="${filled('\t', size)}"/>`,
  'text of carriage returns': (size) => `<a>${filled('\r', size)}</a>`,
  'ampersands alone': (size) => `<a>${filled('&', size)}</a>`,
  'many namespaces at depth': manyNamespacesAtDepth,
  'namespaces bound and bound again': (size) =>
    `<a>${'<p:b xmlns:p="urn:p"><p:c xmlns:p="urn:q"/></p:b>'.repeat(Math.min(1990, Math.floor(size / 50)))}</a>`,
  'many attributes': (size) => `<a>${`<b ${numbered(24, (index) => `a${index}="v"`)}/>`.repeat(Math.min(333, Math.floor(size / 190)))}</a>`,
  'long names': (size) => `<a>${`<b ${numbered(24, (index) => `${'n'.repeat(240)}${index}=""`)}/>`.repeat(Math.floor(size / 6100))}</a>`,
  /** Canonical text, exclusive, declares it again at each of them. */
  'elements of one long namespace': (size) => longNamespace(size, 1000),
  'elements of one very long namespace': (size) => longNamespace(size, Math.floor(size / 2)),
  'attributes of one long namespace': (size) =>
    `<a xmlns:p="urn:${'x'.repeat(1000)}">${`<b ${numbered(23, (index) => `p:${'n'.repeat(20)}${index}=""`)}/>`.repeat(Math.min(340, Math.floor(size / 700)))}</a>`,
  'many elements': (size) =>
    `<a>${`<b>${'x'.repeat(Math.max(0, Math.floor(size / 3990) - 8))}</b>`.repeat(Math.min(3990, Math.floor(size / 8)))}</a>`,
  'many identifiers': (size) => `<a>${numbered(Math.min(3900, Math.floor(size / 15)), (index) => `<b ID="${index}"/>`)}</a>`,
  'deeper than the limit': (size) => filled('<b>', size),
  'a quote that never ends': (size) => `<a b="${filled('x', size)}`,
  'white space in a tag': (size) => `<a${filled(' ', size)}/>`,
  'a signature value without end': (size) =>
    `<a ID="_a"><Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo/><SignatureValue>${filled('AAAA ', size)}</SignatureValue></Signature></a>`,
}
