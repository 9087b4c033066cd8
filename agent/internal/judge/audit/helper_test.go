package audit

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"buzon/agent/internal/judge/decide"
	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

const vm = "arn:aws:iam::111122223333:user/buzon/vm-01"

// case1 is one principal with its documents, held to s3:PutObject under p/ of b.
type case1 struct {
	principal string // vm where it is ""
	docs      []doc
	opts      Options
}

type doc struct {
	kind policy.Kind
	text string
}

func identity(statements ...string) doc {
	return doc{policy.UserInline, document(statements...)}
}

func document(statements ...string) string {
	return "{\"Version\": \"2012-10-17\", \"Statement\": [\n" + strings.Join(statements, ",\n") + "\n]}"
}

func allow(action, resource string, more ...string) string {
	return statement("Allow", action, resource, more...)
}
func deny(action, resource string, more ...string) string {
	return statement("Deny", action, resource, more...)
}

func statement(effect, action, resource string, more ...string) string {
	out := `{"Effect": "` + effect + `", "Action": "` + action + `", "Resource": "` + resource + `"`
	for _, m := range more {
		out += ", " + m
	}
	return out + "}"
}

// contract is the statement that every uploader has.
const contract = `{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/p/*"}`

func (c case1) load(t *testing.T) *sources.Found {
	t.Helper()
	if c.principal == "" {
		c.principal = vm
	}
	texts := map[string]string{}
	sel := sources.Selection{Bucket: "b", Prefix: "p/", Principals: []string{c.principal}}
	for i, d := range c.docs {
		name := string(d.kind) + string(rune('0'+i))
		texts[name] = d.text
		sel.Documents = append(sel.Documents, sources.Document{Kind: d.kind, File: name})
	}
	found, err := sources.Load(t.Context(), sel, sources.Access{ReadFile: func(name string) ([]byte, error) {
		if text, ok := texts[name]; ok {
			return []byte(text), nil
		}
		return nil, os.ErrNotExist
	}})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func (c case1) judge(t *testing.T) *Principal {
	t.Helper()
	return judgeFound(t, c.load(t), c.opts)
}

func judgeFound(t *testing.T, found *sources.Found, opts Options) *Principal {
	t.Helper()
	report := Judge(t.Context(), found, opts)
	if len(report.Principals) != 1 {
		t.Fatalf("%d principals, want one", len(report.Principals))
	}
	p := &report.Principals[0]
	replay(t, p)
	return p
}

// replay holds every witness of a principal against the concrete evaluator: what
// is shown as allowed is allowed, what is latent is not, and something is named
// that stops it.
func replay(t *testing.T, p *Principal) {
	t.Helper()
	for _, f := range p.Findings {
		if f.Witness == nil || f.Rule == RuleOpenTrust || strings.Contains(f.Witness.Resource, "${") {
			continue // of a template's symbols only the names are shown
		}
		got := decide.Decide(&p.Subject().Set, decide.Request{
			Action: f.Witness.Action, Resource: f.Witness.Resource, Context: lowered(f.Witness.Context),
		})
		if allowed := got.Outcome == decide.Allowed; allowed == f.Witness.Latent {
			t.Errorf("%s: the witness %+v is answered: %v", f.Rule, f.Witness, got.Outcome)
		}
		if f.Witness.Latent != (len(f.Stops) > 0) || len(f.Because) == 0 {
			t.Errorf("%s: %d stops, %d reasons", f.Rule, len(f.Stops), len(f.Because))
		}
		for _, b := range f.Because {
			if b.Line == 0 || b.Column == 0 {
				t.Errorf("%s: a reason without its place: %+v", f.Rule, b)
			}
		}
	}
}

// lowered is a witness's context as decide takes it.
func lowered(context map[string][]string) map[string][]string {
	out := map[string][]string{}
	for k, v := range context {
		out[strings.ToLower(k)] = v
	}
	return out
}

// noSessions is the guard's statement by which no session of a user's key writes.
const noSessions = `{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"], "Condition": {"Null": {"aws:TokenIssueTime": "false"}}}`

// rules lists the broken rules, in their order, but for outlives-key: it is broken by
// every user without a guard, and has a test of its own.
func rules(p *Principal) string {
	var out []string
	for _, f := range p.Findings {
		if f.Rule == RuleOutlivesKey {
			continue
		}
		if !slices.Contains(out, string(f.Rule)) {
			out = append(out, string(f.Rule))
		}
	}
	return strings.Join(out, " ")
}

func finding(t *testing.T, p *Principal, rule RuleID) *Finding {
	t.Helper()
	for i := range p.Findings {
		if p.Findings[i].Rule == rule {
			return &p.Findings[i]
		}
	}
	t.Fatalf("no %s among %s", rule, rules(p))
	return nil
}

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
