package audit

import (
	"buzon/agent/internal/judge/reach"
	"buzon/agent/policy"
)

// askBroadPolicy: a policy that is too broad, though a boundary, an SCP, a session
// policy, a Deny or the guard neutralises it today. Whoever removes that opens it; a
// session policy is chosen by whoever asks for the session, who may leave it out (STS,
// AssumeRole, Policy).
func askBroadPolicy(q *inquiry) {
	q.latent(reach.Without{
		Kinds:     []policy.Kind{policy.Boundary, policy.SCP, policy.Session},
		AllDenies: true,
	})
}
