/**
 * How canonical XML writes the characters that it does not write as they are.
 *
 * One pass for each character, because replacing a constant by a constant is native, and a text full of `>` must cost no more than
 * its length. `&` comes first.
 */

/** @spec C14N 1.0 §2.3 text nodes */
export function escapeText(text: string): string {
  if (!/[&<>\r]/.test(text)) return text
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('\r', '&#xD;')
}

/** @spec C14N 1.0 §2.3 attribute nodes, and namespace nodes in the same way */
export function escapeAttribute(value: string): string {
  if (!/[&<"\t\n\r]/.test(value)) return value
  const escaped = value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
  return escaped.replaceAll('\t', '&#x9;').replaceAll('\n', '&#xA;').replaceAll('\r', '&#xD;')
}
