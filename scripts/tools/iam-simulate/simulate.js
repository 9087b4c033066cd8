// Answers the requests of a corpus with iam-simulate.
//
//   npm ci --ignore-scripts && node simulate.js < requests.jsonl > answers.jsonl
//
// One line in, one line out: {"id": …, "answer": "allowed" | "explicit deny" |
// "implicit deny" | "refused", "why": … where it was refused, "ignored": the
// condition keys that it leaves out of the request, if any}. The tests of
// agent/internal/judge/decide write the requests and compare the answers with
// their own (docs/decisions/second-opinion.md).
import { createInterface } from 'node:readline'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const answers = { Allowed: 'allowed', ExplicitlyDenied: 'explicit deny', ImplicitlyDenied: 'implicit deny' }

function simulation(one) {
  const of = (...kinds) =>
    one.documents
      .filter((d) => kinds.includes(d.kind))
      .map((d, i) => ({ name: `${d.kind}-${i}`, policy: d.policy }))
  const levels = [...new Set(one.documents.filter((d) => d.kind === 'scp').map((d) => d.level ?? ''))]
  const resource = of('bucket-policy', 'key-policy', 'trust')
  const boundary = of('boundary')
  const session = of('session')
  const rcps = of('rcp')
  return {
    request: {
      principal: one.principal,
      action: one.request.action,
      resource: { resource: one.request.resource, accountId: one.request.account },
      contextVariables: one.request.context,
    },
    identityPolicies: of('user-inline', 'user-managed', 'group-inline', 'group-managed', 'role-inline', 'role-managed'),
    serviceControlPolicies: levels.map((level) => ({
      orgIdentifier: level || 'root',
      policies: one.documents
        .filter((d) => d.kind === 'scp' && (d.level ?? '') === level)
        .map((d, i) => ({ name: `scp-${i}`, policy: d.policy })),
    })),
    resourceControlPolicies: rcps.length ? [{ orgIdentifier: 'root', policies: rcps }] : [],
    ...(resource.length && { resourcePolicy: resource[0].policy }),
    ...(boundary.length && { permissionBoundaryPolicies: boundary }),
    ...(session.length && { sessionPolicy: session[0].policy }),
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const one = JSON.parse(line)
  let out
  try {
    const result = await runSimulation(simulation(one), {})
    out =
      result.resultType === 'error'
        ? { answer: 'refused', why: result.errors }
        : {
            answer: answers[result.overallResult] ?? result.overallResult,
            ...(result.resultType === 'single' &&
              result.result.ignoredContextKeys?.length && { ignored: result.result.ignoredContextKeys }),
          }
  } catch (err) {
    out = { answer: 'refused', why: String(err?.message ?? err) }
  }
  console.log(JSON.stringify({ id: one.id, ...out }))
}
