/** How canonical XML writes the characters that it does not write as they are. */

/** @spec C14N 1.0 §2.3 text nodes */
export const escapeText = (text: string): string => (/[&<>\r]/.test(text) ? text.replace(/[&<>\r]/g, (one) => inText[one] ?? one) : text)
const inText: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#xD;' }

/** @spec C14N 1.0 §2.3 attribute nodes, and namespace nodes in the same way */
export const escapeAttribute = (value: string): string =>
  /[&<"\t\n\r]/.test(value) ? value.replace(/[&<"\t\n\r]/g, (one) => inAttribute[one] ?? one) : value
const inAttribute: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '"': '&quot;',
  '\t': '&#x9;',
  '\n': '&#xA;',
  '\r': '&#xD;',
}
