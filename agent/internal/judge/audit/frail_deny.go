package audit

import (
	"buzon/agent/internal/judge/reach"
	"buzon/agent/policy"
)

// askFrailDeny: something that is stopped only by Denies that hang on what may
// change without touching a policy. What a boundary or another Deny stops as well
// is not among it.
func askFrailDeny(q *inquiry) {
	var frail []policy.Reference
	for i, src := range q.s.Set.Sources {
		if src.Document == nil {
			continue
		}
		for j, st := range src.Document.Statements {
			if st.Effect != policy.Deny {
				continue
			}
			for _, c := range st.Conditions {
				if changeable(c.Key) {
					frail = append(frail, policy.Reference{Source: i, Statement: j})
					break
				}
			}
		}
	}
	if len(frail) > 0 {
		q.latent(reach.Without{Statements: frail})
	}
}
