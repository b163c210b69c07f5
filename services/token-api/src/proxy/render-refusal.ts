import { PROBLEMS, type ProblemDetails, type ProblemError } from '@tollgate/shared/contracts'
import type { FastifyReply, FastifyRequest } from 'fastify'

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escapeText = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '')

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;margin:0;display:grid;place-items:center;min-height:100vh;color:#0f172a;background:#f8fafc}
main{max-width:34rem;padding:2rem}h1{font-size:1.35rem}dl{font-size:.875rem;color:#475569}dd{margin:0 0 .5rem;overflow-wrap:anywhere}`

const HEADINGS: Partial<Record<ProblemError['code'], string>> = {
  'organization-revoked': 'Your organization has no access to the chat at present',
  'user-revoked': 'You have no access to the chat at present',
  'token-refused': 'You are not signed in to the chat',
  'handoff-refused': 'This link does not lead into the chat',
  'bad-request': 'This link does not lead into the chat',
}

/** Answers a refusal: to a browser that shows pages with a page, to a program with problem+json. */
export function sendRefusal(
  problem: ProblemError,
  request: FastifyRequest,
  reply: FastifyReply,
  contact: string | undefined,
): FastifyReply {
  const { status } = PROBLEMS[problem.code]
  if (problem.retryAfterSeconds !== undefined) reply.header('retry-after', problem.retryAfterSeconds)
  reply.code(status).header('vary', 'accept')
  if (!wantsPage(request.headers.accept)) {
    return reply.type('application/problem+json').send(JSON.stringify(problem.toProblem()))
  }
  // The gate adds which pages may frame it.
  reply.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'")
  reply.removeHeader('x-frame-options')
  return reply.type('text/html; charset=utf-8').send(renderPage(problem, contact))
}

function wantsPage(accept: string | undefined): boolean {
  return accept?.includes('text/html') === true
}

/** A page that says why, by which decision, and whom to ask; without scripts, so that it works in any frame. */
function renderPage(problem: ProblemError, contact: string | undefined): string {
  const heading = HEADINGS[problem.code] ?? 'The chat cannot be reached at present'
  const facts = listFacts(problem.toProblem())
    .map(([name, value]) => `<dt>${name}</dt><dd>${escapeText(value)}</dd>`)
    .join('')
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>${heading}</title><style>${STYLE}</style></head>
<body><main><h1>${heading}</h1><p>${escapeText(problem.message)}</p><p>${escapeText(whatToDo(problem, contact))}</p>
<dl>${facts}</dl></main></body></html>
`
}

function whatToDo({ code }: ProblemError, contact: string | undefined): string {
  const whom = contact === undefined ? '' : ` Or ask ${contact}.`
  switch (code) {
    case 'user-revoked':
      return `Ask an administrator of your organization to raise your limit, and name the decision below.${whom}`
    case 'organization-revoked':
      return `Ask an administrator of your organization, and name the decision below.${whom}`
    case 'unavailable':
      return `Reload the page in a moment.${whom}`
    default:
      return `Open the chat again from the application in which you sign in.${whom}`
  }
}

const FACTS = { reason: 'Reason', decision_id: 'Decision', period_end: 'Until' } as const

function listFacts(problem: ProblemDetails): [string, string][] {
  return Object.entries(FACTS).flatMap(([member, name]): [string, string][] => {
    const value = problem[member]
    return typeof value === 'string' ? [[name, value]] : []
  })
}
