/** A tree from a general strict parser that nobody here wrote, to be compared with ours. */
import { SaxesParser } from 'saxes'
import type { XmlElement } from '../xml-tree.js'

type Growing = XmlElement & { readonly content: (XmlElement | string)[]; readonly children: XmlElement[]; text: string }

/** Undefined if the text is not well-formed, or holds markup that the profile does not know. */
export function saxesTree(message: string): XmlElement | undefined {
  const open: Growing[] = []
  let root: XmlElement | undefined
  const parser = new SaxesParser({ xmlns: true, position: false, defaultXMLVersion: '1.0', forceXMLVersion: true })
  const refuse = (): never => {
    throw new Error('markup outside of the profile')
  }
  for (const event of ['comment', 'cdata', 'processinginstruction', 'doctype'] as const) parser.on(event, refuse)
  parser.on('opentag', (tag) => {
    const all = Object.values(tag.attributes)
    const attributes = all
      .filter(({ name }) => !/^xmlns(:|$)/.test(name))
      .map(({ prefix, uri, local, value }) => ({ prefix, namespace: uri, name: local, value }))
    const declarations = Object.entries(tag.ns).map(([prefix, namespace]) => ({ prefix, namespace }))
    const element: Growing = {
      prefix: tag.prefix,
      namespace: tag.uri,
      name: tag.local,
      attributes,
      declarations,
      content: [],
      children: [],
      text: '',
    }
    open.at(-1)?.content.push(element)
    open.at(-1)?.children.push(element)
    root ??= element
    open.push(element)
  })
  parser.on('closetag', () => void open.pop())
  parser.on('text', (text) => {
    const element = open.at(-1)
    if (element === undefined) return
    const last = element.content.at(-1)
    if (typeof last === 'string') element.content[element.content.length - 1] = last + text
    else element.content.push(text)
    element.text += text
  })
  try {
    parser.write(message).close()
  } catch {
    return undefined
  }
  return root
}
