/** A person at a browser, in a few lines: follows redirects, keeps cookies per host, fills in the one form of each page. For the demonstration only. */

export type Choice = {
  /** Said of a page: which form, and which button of it. */
  readonly when: (html: string) => boolean
  readonly form?: RegExp
  readonly button: { readonly name: string; readonly value: string } | undefined
  readonly say: string
}

export type Visit = { readonly url: URL; readonly pages: readonly string[] }

const mostSteps = 30

/** Goes from `start` until it is sent to `stopAt`; throws with the page's words where no choice fits. */
export async function browse(start: URL, stopAt: string, choices: readonly Choice[]): Promise<Visit> {
  const cookies = new Map<string, Map<string, string>>()
  const pages: string[] = []
  let next: { url: URL; form?: URLSearchParams } = { url: start }
  for (let step = 0; step < mostSteps; step++) {
    if (next.url.href.startsWith(stopAt)) return { url: next.url, pages }
    const response = await send(next, cookies)
    keepCookies(cookies, next.url, response)
    const location = response.headers.get('location')
    if (location !== null) {
      next = { url: new URL(location, next.url) }
      continue
    }
    const html = await response.text()
    const choice = choices.find(({ when }) => when(html))
    if (!choice) throw new Error(`the login stopped at ${next.url.pathname} (${response.status}): ${wordsOf(html)}`)
    pages.push(choice.say)
    next = fillIn(html, next.url, choice)
  }
  throw new Error('the login went round in circles')
}

function send(next: { url: URL; form?: URLSearchParams }, cookies: ReadonlyMap<string, ReadonlyMap<string, string>>): Promise<Response> {
  const jar = cookies.get(next.url.hostname)
  const headers: Record<string, string> = {
    accept: 'text/html',
    ...(jar ? { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') } : {}),
  }
  return fetch(next.url, { redirect: 'manual', headers, ...(next.form ? { method: 'POST', body: next.form } : {}) })
}

function keepCookies(cookies: Map<string, Map<string, string>>, url: URL, response: Response): void {
  const jar = cookies.get(url.hostname) ?? new Map<string, string>()
  cookies.set(url.hostname, jar)
  for (const line of response.headers.getSetCookie()) {
    const [pair = ''] = line.split(';')
    const at = pair.indexOf('=')
    if (/max-age=0/i.test(line)) jar.delete(pair.slice(0, at))
    else jar.set(pair.slice(0, at), pair.slice(at + 1))
  }
}

function fillIn(html: string, page: URL, choice: Choice): { url: URL; form: URLSearchParams } {
  const forms = [...html.matchAll(/<form[^>]*>[\s\S]*?<\/form>/g)].map(([text]) => text)
  const form = forms.find((text) => choice.form === undefined || choice.form.test(text))
  if (form === undefined) throw new Error(`a form is missing at ${page.pathname}: ${wordsOf(html)}`)
  const fields = new URLSearchParams()
  for (const [input] of form.matchAll(/<input[^>]*>/g)) {
    const name = attributeOf(input, 'name')
    if (name !== undefined) fields.set(name, attributeOf(input, 'value') ?? '')
  }
  if (choice.button) fields.set(choice.button.name, choice.button.value)
  return { url: new URL(attributeOf(form, 'action') ?? '', page), form: fields }
}

const attributeOf = (tag: string, name: string): string | undefined => {
  const value = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1]
  return value?.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
}

const wordsOf = (html: string): string =>
  (/<main[\s\S]*<\/main>/.exec(html)?.[0] ?? html)
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 300)
