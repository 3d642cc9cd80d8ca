/**
 * The script of the pages that ask for a passkey, which only a script can do: the library's own text, and a few lines that put its answer
 * into the form. Nothing is fetched: the whole text stands in the page and is allowed by its hash.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pageScript } from '../http/page.js'

/** The package exports no path to its bundle for browsers; it lies beside what it does export. */
const libraryPath = join(
  dirname(createRequire(import.meta.url).resolve('@simplewebauthn/browser')),
  '..',
  'dist',
  'bundle',
  'index.umd.min.js',
)

const glue = `
for (const form of document.querySelectorAll('form[data-passkey]')) {
  const button = form.querySelector('button'), trouble = form.querySelector('[role=alert]')
  button.hidden = false
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    trouble.textContent = ''
    button.disabled = true
    try {
      const ask = form.dataset.passkey === 'create' ? SimpleWebAuthnBrowser.startRegistration : SimpleWebAuthnBrowser.startAuthentication
      form.elements.answer.value = JSON.stringify(await ask({ optionsJSON: JSON.parse(form.dataset.options) }))
      form.submit()
    } catch {
      button.disabled = false
      trouble.textContent = 'Your device did not answer with a passkey. Try again, or choose another way.'
    }
  })
}
`

export const passkeyScript = pageScript(`${readFileSync(libraryPath, 'utf8')}\n${glue}`)
