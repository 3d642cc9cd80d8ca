/**
 * What an attacker, a proxy or an unlucky library could make of a message: some of it changes nothing that is signed, some of it
 * everything. A mutation knows tags and text, not XML, so that it can also break it.
 */
import { elementsOf, type Span } from './element-spans.js'
import type { Random } from './random.js'

/** `other` is another honest message, signed by the same keys. */
export type Mutation = (message: string, random: Random, other: string) => string

const replaceAt = (text: string, from: number, to: number, by: string): string => text.slice(0, from) + by + text.slice(to)
const anElement = (message: string, random: Random): Span | undefined => {
  const all = elementsOf(message)
  return all.length === 0 ? undefined : random.pick(all)
}
const textOf = (message: string, { from, to }: Span): string => message.slice(from, to)
/** A place between two tags or inside of text, never inside of a tag. */
const aPlace = (message: string, random: Random): number => {
  const places = [...message.matchAll(/[<>]/g)].map(({ index, 0: character }) => (character === '>' ? index + 1 : index))
  return places.length === 0 ? 0 : random.pick(places)
}
const onElement =
  (change: (message: string, span: Span, random: Random, other: string) => string): Mutation =>
  (message, random, other) => {
    const span = anElement(message, random)
    return span === undefined ? message : change(message, span, random, other)
  }
const evil = (text: string): string => text.replace(/>(?:ada|grace)@acme\.example</, '>root@evil.example<')
const evilName = '>root@evil.example<'

const moves: Readonly<Record<string, Mutation>> = {
  'move an element': onElement((message, span, random) => {
    const rest = replaceAt(message, span.from, span.to, '')
    const at = aPlace(rest, random)
    return replaceAt(rest, at, at, textOf(message, span))
  }),
  'duplicate an element': onElement((message, span, random) => {
    const at = random.oneIn(2) ? span.to : aPlace(message, random)
    return replaceAt(message, at, at, textOf(message, span))
  }),
  'duplicate an element with another name in it': onElement((message, span, random) => {
    const at = random.pick([span.from, span.to, aPlace(message, random)])
    return replaceAt(message, at, at, evil(textOf(message, span)).replace(/ID="_(\w+)"/, random.oneIn(2) ? 'ID="_evil"' : '$&'))
  }),
  'wrap an element': onElement((message, span, random) => {
    const wrapper = random.pick(['x', 'samlp:Extensions', 'saml:Advice', 'ds:Object', 'Assertion'])
    return replaceAt(message, span.from, span.to, `<${wrapper}>${textOf(message, span)}</${wrapper}>`)
  }),
  'take an element away': onElement((message, span) => replaceAt(message, span.from, span.to, '')),
  'swap two elements': onElement((message, span, random) => {
    const second = anElement(message, random)
    if (second === undefined || second.from < span.to) return message
    return (
      message.slice(0, span.from) +
      textOf(message, second) +
      message.slice(span.to, second.from) +
      textOf(message, span) +
      message.slice(second.to)
    )
  }),
  'take the element of another message': onElement((message, span, random, other) => {
    const stolen = anElement(other, random)
    return stolen === undefined ? message : replaceAt(message, span.from, random.oneIn(2) ? span.from : span.to, textOf(other, stolen))
  }),
  'take the signature of another message': (message, _random, other) => {
    const signature = /<((?:\w+:)?Signature)[ >].*?<\/\1>/s
    const stolen = signature.exec(other)?.[0]
    return stolen === undefined ? message : message.replace(signature, () => stolen)
  },
  'hide the signed element and put an evil one in its place': (message, random) => {
    const assertion = /<((?:\w+:)?Assertion)[ >].*<\/\1>/s.exec(message)?.[0]
    if (assertion === undefined) return message
    const bare = evil(assertion)
      .replace(/<((?:\w+:)?Signature)[ >].*?<\/\1>/s, '')
      .replace('ID="_assertion1"', 'ID="_evil"')
    const holder = random.pick(['saml:Advice', 'samlp:Extensions', 'ds:Object', 'x'])
    return message.replace(assertion, () =>
      random.pick([
        bare + assertion,
        assertion + bare,
        `<${holder}>${assertion}</${holder}>${bare}`,
        bare.replace('</', () => `${assertion}</`),
      ]),
    )
  },
}

const prefixOf = (message: string, random: Random): string =>
  random.pick([...message.matchAll(/<(\w+):/g)].map((match) => match[1] ?? '').concat('saml'))
const startTags = (message: string): readonly RegExpMatchArray[] => [...message.matchAll(/<[A-Za-z_][^\s/>]*/g)]
const inAStartTag = (message: string, random: Random, insert: string): string => {
  const tags = startTags(message)
  if (tags.length === 0) return message
  const tag = random.pick(tags)
  const at = (tag.index ?? 0) + tag[0].length
  return replaceAt(message, at, at, insert)
}

const namespaceGames: Readonly<Record<string, Mutation>> = {
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

const signatureGames: Readonly<Record<string, Mutation>> = {
  'change an ID': (message, random) =>
    message.replace(random.pick([/ ID="_assertion1"/, / ID="_response1"/, / URI="#\w+"/]), (all) =>
      random.pick([
        ' ID="_evil"',
        ' ID="_assertion1"',
        ' ID="_response1"',
        ' URI=""',
        ' URI="#_evil"',
        all.replace('ID', 'Id'),
        all.replace('ID', 'xml:id'),
        `${all} id="_assertion1"`,
        `${all} x="y"`,
      ]),
    ),
  'change an algorithm': (message, random) => {
    const named = [...message.matchAll(/Algorithm="[^"]*"/g)]
    const one = named.length === 0 ? undefined : random.pick(named)
    const algorithm = random.pick([
      'http://www.w3.org/2000/09/xmldsig#rsa-sha1',
      'http://www.w3.org/2001/04/xmldsig-more#hmac-sha256',
      'http://www.w3.org/2001/10/xml-exc-c14n#',
      'http://www.w3.org/2001/10/xml-exc-c14n#WithComments',
      'http://www.w3.org/TR/2001/REC-xml-c14n-20010315',
      'http://www.w3.org/2006/12/xml-c14n11',
      'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
      'http://www.w3.org/2001/04/xmlenc#sha512',
      '',
    ])
    return one === undefined ? message : replaceAt(message, one.index, one.index + one[0].length, `Algorithm="${algorithm}"`)
  },
  'break a base64 value into lines': (message, random) =>
    message.replace(
      /(Value>)([A-Za-z0-9+/=]{20,})(<)/,
      (_all, open: string, value: string, close: string) =>
        `${open}${value.replaceAll(/.{16}/g, `$&${random.pick(['\n', '\r\n', ' ', '&#13;\n', '\t'])}`)}${close}`,
    ),
  'touch a base64 value': (message, random) =>
    message.replace(
      /(Value>[A-Za-z0-9+/]{3,60})([A-Za-z0-9+/])([A-Za-z0-9+/=]*)(<)/,
      (_all, head: string, one: string, tail: string, close: string) =>
        random.pick([
          `${head}A${tail}${close}`,
          `${head}${one}${tail}=${close}`,
          `${head}${one}${tail.replaceAll('=', '')}${close}`,
          `${head}${one}*${tail}${close}`,
        ]),
    ),
  'add to a signature': (message, random) =>
    message.replace(
      /<\/((?:\w+:)?)SignatureValue>/,
      (all, prefix: string) =>
        all +
        random.pick([
          `<${prefix}KeyInfo><${prefix}KeyName>evil</${prefix}KeyName></${prefix}KeyInfo>`,
          `<${prefix}Object/>`,
          `<${prefix}KeyInfo/>`,
          'text',
          '\n',
        ]),
    ),
}

const markup = [
  '<!-- -->',
  '<!---->',
  '<?x y?>',
  '<![CDATA[]]>',
  '<![CDATA[.evil.example]]>',
  '&amp;',
  '&#0;',
  '&#x41;',
  '&#13;',
  '&x;',
  '&lt',
  ']]>',
  '\u0000',
  '\uFFFE',
  '\uD800',
  '\u00A0',
  '\u2028',
  '\uFEFF',
  '<x/>',
  '<',
  '&',
  'é',
  '𝄞',
] as const

const textGames: Readonly<Record<string, Mutation>> = {
  'insert markup': (message, random) => {
    const at = random.oneIn(2) ? aPlace(message, random) : random.below(message.length)
    return replaceAt(message, at, at, random.pick(markup))
  },
  'insert white space': (message, random) => {
    const at = aPlace(message, random)
    return replaceAt(message, at, at, random.pick([' ', '\n', '\r\n', '\t', '\r']))
  },
  'white space in a tag': (message, random) =>
    message.replace(/ (\w+)=(["'])/, (_all, name: string, quote: string) =>
      random.pick([`\n${name}=${quote}`, ` ${name} = ${quote}`, `\t${name}=${quote}`, `${name}=${quote}`]),
    ),
  'write a character as a reference': (message, random) => {
    const texts = [...message.matchAll(/>([^<&]+)</g)]
    const one = texts.length === 0 ? undefined : random.pick(texts)
    if (one === undefined) return message
    const at = one.index + 1
    const code = message.codePointAt(at) ?? 32
    return replaceAt(message, at, at + (code > 0xffff ? 2 : 1), random.oneIn(2) ? `&#${code};` : `&#x${code.toString(16)};`)
  },
  'other quotes': (message, random) => {
    const values = [...message.matchAll(/="([^"'<>&]*)"/g)]
    const one = values.length === 0 ? undefined : random.pick(values)
    return one === undefined ? message : replaceAt(message, one.index, one.index + one[0].length, `='${one[1]}'`)
  },
  'empty tags both ways': (message, random) =>
    random.oneIn(2)
      ? message.replace(/<([A-Za-z_][^\s/>]*)((?:\s[^<>]*)?)\/>/, '<$1$2></$1>')
      : message.replace(/<([A-Za-z_][^\s/>]*)((?:\s[^<>]*)?)><\/\1>/, '<$1$2/>'),
  'swap two attributes': (message) => message.replace(/( [\w:]+="[^"<>]*")( [\w:]+="[^"<>]*")/, '$2$1'),
  'add an attribute': (message, random) =>
    inAStartTag(
      message,
      random,
      random.pick([
        ' a="b"',
        ' ID="_evil"',
        ' xml:lang="de"',
        ' xml:space="preserve"',
        ' xml:id="_x"',
        ' xsi:nil="true"',
        ' xmlnsx="y"',
        ' x:y="z"',
      ]),
    ),
  'edit a text': (message, random) =>
    message.replace(
      />(?:ada|grace)@acme\.example</,
      random.pick([evilName, '>ada@acme.example.evil.example<', '><', '> ada@acme.example<']),
    ),
  'all line ends': (message, random) => message.replaceAll('\n', random.pick(['\r\n', '\r', '\n'])),
  'a declaration in front': (message, random) =>
    random.pick([
      '<?xml version="1.0"?>',
      "<?xml version='1.0' encoding='utf-8'?>\n",
      '<?xml version="1.1"?>',
      '<?xml version="1.0" encoding="UTF-16"?>',
      '\uFEFF',
      ' ',
      '<!DOCTYPE r>',
      '<!DOCTYPE r [<!ENTITY x "y">]>',
    ]) + message,
  truncate: (message, random) => message.slice(0, random.below(message.length)),
  'flip a bit': (message, random) => {
    const octets = Buffer.from(message)
    const at = random.below(octets.length)
    octets[at] = (octets[at] ?? 0) ^ (1 << random.below(8))
    return octets.toString('utf8')
  },
  'replace a character': (message, random) => {
    const at = random.below(message.length)
    return replaceAt(message, at, at + 1, random.pick(['<', '>', '"', "'", '&', '/', ':', ' ', 'A', '=', '\n']))
  },
}

export const mutations: Readonly<Record<string, Mutation>> = { ...moves, ...namespaceGames, ...signatureGames, ...textGames }
