/** Identifiers, algorithms, base64 and what stands in the signature. */
import { type Mutation, replaceAt } from './mutation.js'

export const signatureMutations: Readonly<Record<string, Mutation>> = {
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
