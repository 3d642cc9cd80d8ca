/** Text into XML that we write: the five characters, and line ends so that no parser normalises them away. */

const replacements: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
}

export const escapeXml = (text: string): string => text.replace(/[&<>"'\t\n\r]/g, (character) => replacements[character] ?? '')
