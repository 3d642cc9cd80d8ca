/** Characters: markup of every kind, references, white space, bits. Some change nothing that XML means. */
import { aPlace, inAStartTag, type Mutation, replaceAt } from './mutation.js'

const evilName = '>root@evil.example<'

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

export const textMutations: Readonly<Record<string, Mutation>> = {
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
