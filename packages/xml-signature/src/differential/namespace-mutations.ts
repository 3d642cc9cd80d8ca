/** Prefixes and what they are bound to, and the lists of them that canonicalisation is given. */
import { inAStartTag, type Mutation, onElement, replaceAt, textOf } from './mutation.js'
import type { Random } from './random.js'

const prefixOf = (message: string, random: Random): string =>
  random.pick([...message.matchAll(/<(\w+):/g)].map((match) => match[1] ?? '').concat('saml'))
export const namespaceMutations: Readonly<Record<string, Mutation>> = {
  'rename a prefix everywhere': (message, random) => {
    const prefix = prefixOf(message, random)
    const renamed = random.pick(['n', 'saml', 'ds', 'XML', 'é'])
    return message
      .replaceAll(`<${prefix}:`, `<${renamed}:`)
      .replaceAll(`</${prefix}:`, `</${renamed}:`)
      .replaceAll(`xmlns:${prefix}=`, `xmlns:${renamed}=`)
  },
  'rename a prefix in one element': onElement((message, span, random) => {
    const renamed = random.pick(['n', 'saml', 'ds', 'samlp'])
    return replaceAt(message, span.from, span.to, textOf(message, span).replaceAll(/(<\/?)\w+:/g, `$1${renamed}:`))
  }),
  'declare a namespace again': (message, random) => {
    const declared = [...message.matchAll(/ xmlns(?::\w+)?=("[^"]*"|'[^']*')/g)].map(([all]) => all)
    return inAStartTag(message, random, random.pick([...declared, ' xmlns:unused="urn:unused"']))
  },
  'declare another namespace': (message, random) =>
    inAStartTag(
      message,
      random,
      ` xmlns${random.pick(['', ':saml', ':samlp', ':ds', ':xs', ':xsi', ':b', ':xml', ':xmlns', ':q'])}="${random.pick(['urn:evil', '', 'relative', 'urn:oasis:names:tc:SAML:2.0:assertion', 'http://www.w3.org/2000/09/xmldsig#', 'http://www.w3.org/XML/1998/namespace'])}"`,
    ),
  'take a declaration away': (message, random) => {
    const declared = [...message.matchAll(/ xmlns(?::\w+)?=("[^"]*"|'[^']*')/g)]
    const one = declared.length === 0 ? undefined : random.pick(declared)
    return one === undefined ? message : replaceAt(message, one.index, one.index + one[0].length, '')
  },
  'change a prefix list': (message, random) =>
    message.replace(
      /PrefixList="[^"]*"/,
      `PrefixList="${random.pick(['', 'xs', '#default', 'saml ds', ' xs  xsi ', 'xs\txsi', 'a:b', '*'])}"`,
    ),
  'add a prefix list': (message, random) =>
    message.replace(
      /(<(?:\w+:)?(?:Transform|CanonicalizationMethod) Algorithm="http:\/\/www\.w3\.org\/2001\/10\/xml-exc-c14n#")\/>/,
      (all, head: string) => {
        const name = /^<(?:\w+:)?\w+/.exec(all)?.[0].slice(1) ?? ''
        return `${head}><ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="${random.pick(['nowhere', 'xs', '#default', 'saml'])}"/></${name}>`
      },
    ),
}
