/** The counts of a run as the page that is in the docs. Nothing in it is written by hand. */
import type { Comparison, ComparisonPlan } from './compare.js'

const thousands = (value: number): string => value.toLocaleString('en-US')

export function reportOf(plan: ComparisonPlan, { messages, counts, disagreements, seconds }: Comparison): string {
  const rows = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([what, count]) => `| ${what} | ${thousands(count)} |`)
  return `${[
    '# Differential proof of packages/xml-signature',
    '',
    'Printed by the runner, never edited:',
    `\`node packages/xml-signature/dist/differential/main.js --messages ${messages} --seed ${plan.seed} --report docs/reference/xml-signature-differential.md\``,
    '',
    'Each message is generated honest (prefixes, declarations near and far, characters that need escaping, algorithms, canonicalisations, prefix lists) and signed, or is such a',
    'message after one to three of the mutations in `mutate-message.ts`. Every message is parsed by us and by saxes. Every message that we accept is verified by xmlsec1, and what it',
    `signs for is read again from the canonical octets by saxes. One in ${plan.sampleAccepted} of those, and each that xmlsec1 refuses, goes to xml-crypto and node-saml as well;`,
    `one in ${plan.sampleRefused} of what we refuse goes to xml-crypto. xmlsec1 recomputes the same digest, so where it accepts it has canonicalised to the octets that we have.`,
    '',
    `**${thousands(messages)} messages, seed ${plan.seed}, ${thousands(Math.round(seconds))} s: ${disagreements.length === 0 ? 'no message is accepted by us alone, none is read with another identity, no honest one is refused' : `${disagreements.length} DISAGREEMENTS`}.**`,
    '',
    '| what | count |',
    '|---|---:|',
    ...rows,
    '',
    'Where xml-crypto accepts and we refuse, we are stricter on purpose: the reason beside it is ours.',
  ].join('\n')}\n`
}
