package audit

import (
	"regexp"
	"slices"
	"strings"

	"buzon/agent/policy"
)

// s3Via is S3's name in kms:ViaService; the Region of a template may be a symbol.
var s3Via = regexp.MustCompile(`^s3\.[^.*?]+\.amazonaws\.com(\.cn)?$`)

// widening is the one statement by which the contract widens where objects are
// encrypted with a KMS key: data keys of that key, made and opened by S3 on the
// principal's behalf, for objects under its prefix (policy.WriteOnlyWithKey). A
// second such statement is judged as any other.
func (q *inquiry) widening() (policy.Reference, bool) {
	for i, src := range q.s.Set.Sources {
		switch src.Kind {
		case policy.UserInline, policy.UserManaged, policy.GroupInline, policy.GroupManaged, policy.RoleInline, policy.RoleManaged:
		default:
			continue
		}
		if src.Document == nil {
			continue
		}
		for j := range src.Document.Statements {
			if st := &src.Document.Statements[j]; q.widens(st, src.Document.Variables()) {
				for _, a := range st.Actions {
					q.out.Allowed = append(q.out.Allowed, keyActions[strings.ToLower(a.Value)])
				}
				return policy.Reference{Source: i, Statement: j}, true
			}
		}
	}
	return policy.Reference{}, false
}

// keyActions are those of the widening, by their names in lower case.
var keyActions = map[string]string{"kms:decrypt": "kms:Decrypt", "kms:generatedatakey": "kms:GenerateDataKey"}

func (q *inquiry) widens(st *policy.Statement, variables bool) bool {
	if st.Effect != policy.Allow || st.Unclear != nil || st.NotAction || st.NotResource || len(st.Actions) == 0 {
		return false
	}
	for _, a := range st.Actions {
		if keyActions[strings.ToLower(a.Value)] == "" {
			return false
		}
	}
	for _, r := range st.Resources {
		part := policy.Segments(r.Value)
		if len(part) != 6 || part[2] != "kms" || !strings.HasPrefix(part[5], "key/") || strings.ContainsAny(r.Value, "*?$") {
			return false
		}
	}
	via, under := false, false
	for _, c := range st.Conditions {
		if c.Operator.Quantifier != policy.Single || c.Operator.IfExists {
			continue
		}
		exact := c.Operator.Test == policy.StringEquals
		like := exact || c.Operator.Test == policy.StringLike || c.Operator.Test == policy.ArnLike || c.Operator.Test == policy.ArnEquals
		all := func(ok func(string) bool) bool {
			return !slices.ContainsFunc(c.Values, func(v policy.Text) bool { return !ok(v.Value) })
		}
		switch strings.ToLower(c.Key) {
		case "kms:viaservice":
			via = via || exact && all(s3Via.MatchString)
		case "kms:encryptioncontext:aws:s3:arn":
			under = under || like && all(func(v string) bool { return q.under(v, variables) })
		}
	}
	return via && under
}

// under reports whether every text that a pattern of ARNs matches is an object
// under the prefix.
func (q *inquiry) under(pattern string, variables bool) bool {
	pieces, ok := policy.Pieces(pattern, variables)
	if !ok {
		return false
	}
	var start strings.Builder
pieces:
	for _, p := range pieces {
		switch {
		case p.Kind == policy.Literal:
			start.WriteString(p.Text)
		case p.Kind == policy.Variable && strings.EqualFold(p.Key, "aws:username") && q.s.Set.Subject.Type == policy.User:
			start.WriteString(q.s.Set.Subject.Name)
		default:
			break pieces
		}
	}
	return strings.HasPrefix(start.String(), strings.TrimSuffix(q.object(""), "*"))
}
