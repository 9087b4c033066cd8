package audit

import (
	"buzon/agent/internal/judge/reach"
	"buzon/agent/policy"
)

// askBroadPolicy: a policy that is too broad, though a boundary, an SCP, a Deny
// or the guard neutralises it today. Whoever removes that opens it.
func askBroadPolicy(q *inquiry) {
	q.latent(reach.Without{
		Kinds:     []policy.Kind{policy.Boundary, policy.SCP},
		AllDenies: true,
	})
}
