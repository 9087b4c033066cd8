package audit

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// WaiverRule is one entry of a file of waivers: whose findings of which rule somebody
// accepts, as far as actions and resource reach, until a day.
type WaiverRule struct {
	Rule      RuleID
	Principal string   // an ARN, with "*" in its name
	Actions   []string // patterns; nil is any
	Resource  string   // a pattern; "" is any
	Waiver
	File string
	Pos  policy.Position
}

// The faults of a file of waivers, besides those of YAML.
const (
	WaiverShape     policy.Code = "waiver-shape"     // not a list under waivers
	WaiverKey       policy.Code = "waiver-key"       // a key that no waiver has, or twice
	WaiverMissing   policy.Code = "waiver-missing"   // a key that each must have
	WaiverRuleName  policy.Code = "waiver-rule"      // no rule
	WaiverForbidden policy.Code = "waiver-forbidden" // a rule that can't be waived
	WaiverPrincipal policy.Code = "waiver-principal" // not an ARN, or "*" before its name
	WaiverDate      policy.Code = "waiver-date"      // not a day
	WaiverValue     policy.Code = "waiver-value"     // not a text, or empty
	WaiverSyntax    policy.Code = "waiver-syntax"    // not YAML
)

// WaiverCodes lists them.
func WaiverCodes() []policy.Code {
	return []policy.Code{
		WaiverShape, WaiverKey, WaiverMissing, WaiverRuleName, WaiverForbidden, WaiverPrincipal, WaiverDate, WaiverValue, WaiverSyntax,
	}
}

// unwaivable are rules of which nobody can say "let it be so": the uploader doesn't
// work, or what is there isn't what was designed or decided.
var unwaivable = []RuleID{RuleCannotWrite, RuleDrift, RuleSimulator, RuleWaiverExpired}

// ParseWaivers reads a file of waivers. The error is policy.Errors, with every fault in
// its place; nothing is returned beside it.
func ParseWaivers(file string, data []byte) ([]WaiverRule, error) {
	r := &waiverReader{file: file}
	documents := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	err := documents.Decode(&first)
	var syntax *yaml.LoadError
	switch {
	case errors.As(err, &syntax):
		r.fault(sources.PlaceOf(data, syntax), WaiverSyntax, "reason", syntax.Message)
	case err != nil, !errors.Is(documents.Decode(&second), io.EOF):
		r.fault(policy.Position{Line: 1, Column: 1}, WaiverShape)
	default:
		r.root(first.Content[0])
	}
	if len(r.faults) > 0 {
		return nil, r.faults
	}
	return r.out, nil
}

type waiverReader struct {
	file   string
	out    []WaiverRule
	faults policy.Errors
}

func (r *waiverReader) fault(at policy.Position, code policy.Code, args ...string) {
	e := &policy.Error{File: r.file, Pos: at, Code: code, Args: map[string]string{}}
	for i := 0; i+1 < len(args); i += 2 {
		e.Args[args[i]] = args[i+1]
	}
	r.faults = append(r.faults, e)
}

func at(n *yaml.Node) policy.Position { return policy.Position{Line: n.Line, Column: n.Column} }

// field is a key of a mapping with its value.
type field struct{ key, value *yaml.Node }

// fields are the pairs of a mapping; false where it is none.
func fields(n *yaml.Node) (list []field, ok bool) {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		list = append(list, field{n.Content[i], n.Content[i+1]})
	}
	return list, n.Kind == yaml.MappingNode
}

func (r *waiverReader) root(n *yaml.Node) {
	pairs, ok := fields(n)
	if !ok {
		r.fault(at(n), WaiverShape)
		return
	}
	seen := false
	for _, pair := range pairs {
		if pair.key.Value != "waivers" || seen {
			r.fault(at(pair.key), WaiverKey, "key", pair.key.Value)
			continue
		}
		seen = true
		if pair.value.Kind != yaml.SequenceNode {
			r.fault(at(pair.value), WaiverShape)
			continue
		}
		for _, entry := range pair.value.Content {
			r.entry(entry)
		}
	}
	if !seen {
		r.fault(at(n), WaiverShape)
	}
}

// needed are the keys that every waiver has.
var needed = []string{"rule", "principal", "reason", "who", "until"}

func (r *waiverReader) entry(n *yaml.Node) {
	pairs, ok := fields(n)
	if !ok {
		r.fault(at(n), WaiverShape)
		return
	}
	w := WaiverRule{File: r.file, Pos: at(n)}
	seen := map[string]bool{}
	for _, pair := range pairs {
		key := pair.key.Value
		if seen[key] {
			r.fault(at(pair.key), WaiverKey, "key", key)
			continue
		}
		seen[key] = true
		r.field(&w, key, pair)
	}
	for _, key := range needed {
		if !seen[key] {
			r.fault(w.Pos, WaiverMissing, "key", key)
		}
	}
	r.out = append(r.out, w)
}

func (r *waiverReader) field(w *WaiverRule, key string, pair field) {
	switch key {
	case "rule":
		w.Rule = RuleID(r.text(key, pair.value))
		r.rule(w.Rule, pair.value)
	case "principal":
		w.Principal = r.text(key, pair.value)
		if w.Principal != "" && !principalPattern.MatchString(w.Principal) {
			r.fault(at(pair.value), WaiverPrincipal, "got", w.Principal)
		}
	case "actions":
		if pair.value.Kind != yaml.SequenceNode {
			w.Actions = []string{r.text(key, pair.value)}
			return
		}
		w.Actions = []string{}
		for _, v := range pair.value.Content {
			w.Actions = append(w.Actions, r.text(key, v))
		}
		if len(w.Actions) == 0 {
			r.fault(at(pair.value), WaiverValue, "key", key)
		}
	case "resource":
		w.Resource = r.text(key, pair.value)
	case "reason":
		w.Reason = r.text(key, pair.value)
	case "who":
		w.Who = r.text(key, pair.value)
	case "until":
		w.Until = r.text(key, pair.value)
		if _, err := time.Parse(time.DateOnly, w.Until); err != nil && w.Until != "" {
			r.fault(at(pair.value), WaiverDate, "got", w.Until)
		}
	default:
		r.fault(at(pair.key), WaiverKey, "key", key)
	}
}

// principalPattern is an ARN of IAM or STS whose last name may hold wildcards.
var principalPattern = regexp.MustCompile(`^arn:[a-z-]+:(iam|sts)::([0-9]{12}|\$\{AWS::AccountId\}):(root|[a-z-]+/([^*?]*/)?[^/]+)$`)

func (r *waiverReader) rule(id RuleID, n *yaml.Node) {
	switch known := slices.ContainsFunc(Rules, func(rule Rule) bool { return rule.ID == id }); {
	case id == "":
	case slices.Contains(unwaivable, id):
		r.fault(at(n), WaiverForbidden, "rule", string(id))
	case !known:
		var rules []string
		for _, rule := range Rules {
			if !slices.Contains(unwaivable, rule.ID) {
				rules = append(rules, string(rule.ID))
			}
		}
		r.fault(at(n), WaiverRuleName, "got", string(id), "rules", strings.Join(rules, ", "))
	}
}

// text is a scalar as it is written; an empty one, and whatever is none, is a fault.
func (r *waiverReader) text(key string, n *yaml.Node) string {
	text := n.Value
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Tag == "!!bool" || n.Style&yaml.TaggedStyle != 0 {
		text = ""
	}
	if strings.TrimSpace(text) == "" {
		r.fault(at(n), WaiverValue, "key", key)
		return ""
	}
	return strings.TrimSpace(text)
}

// Details of waiver-expired.
const (
	DetailPast   = "past"   // its last day is over
	DetailUnused = "unused" // it covers nothing
)

// waive marks what waivers cover, and warns of those that are past or cover nothing:
// where they are anybody's of the report at their principals, else in the list that it
// returns.
func waive(outcomes []Principal, waivers []WaiverRule, now time.Time) []Finding {
	today := now.UTC().Format(time.DateOnly)
	var nobody []Finding
	for i := range waivers {
		w := &waivers[i]
		detail := DetailUnused
		if w.Until < today {
			detail = DetailPast
		}
		covers, theirs := false, []int(nil)
		for j := range outcomes {
			p := &outcomes[j]
			if !w.means(p) {
				continue
			}
			theirs = append(theirs, j)
			for k := range p.Findings {
				if f := &p.Findings[k]; w.covers(f) && detail != DetailPast {
					covers = true
					if f.Waived == nil {
						f.Waived = &w.Waiver
					}
				}
			}
		}
		if covers {
			continue
		}
		f := Finding{
			Rule: RuleWaiverExpired, Severity: Warning, Detail: detail, Fix: Fix{ID: string(RuleWaiverExpired)},
			Lacks: []Lack{{Statement: string(w.Rule), File: w.File, Line: w.Pos.Line, Column: w.Pos.Column}},
		}
		if len(theirs) == 0 {
			nobody = append(nobody, f)
		}
		for _, j := range theirs {
			outcomes[j].Findings = append(outcomes[j].Findings, f)
		}
	}
	for i := range outcomes {
		outcomes[i].Verdict = outcomes[i].conclude()
	}
	return nobody
}

// means reports whether a waiver is for a principal. An account that only deployment
// will know is any.
func (w *WaiverRule) means(p *Principal) bool {
	mine, theirs := policy.Segments(w.Principal), policy.Segments(p.ARN)
	if len(mine) != 6 || len(theirs) != 6 {
		return liesWithin(p.ARN, w.Principal)
	}
	if !strings.HasPrefix(p.Account, "${") && mine[4] != theirs[4] || mine[2] != theirs[2] || mine[1] != theirs[1] {
		return false
	}
	at := strings.LastIndexByte(theirs[5], '/')
	to := strings.LastIndexByte(mine[5], '/')
	return theirs[5][:at+1] == mine[5][:to+1] && liesWithin(theirs[5][at+1:], mine[5][to+1:])
}

// covers reports whether all of a finding lies within a waiver: each of its actions,
// and every resource of each statement that grants it.
func (w *WaiverRule) covers(f *Finding) bool {
	if f.Rule != w.Rule || slices.Contains(unwaivable, f.Rule) {
		return false
	}
	if w.Actions != nil {
		for _, a := range f.Actions {
			a = strings.ToLower(strings.Replace(a, "(tomorrow)", "*", 1))
			if !slices.ContainsFunc(w.Actions, func(pattern string) bool { return liesWithin(a, strings.ToLower(pattern)) }) {
				return false
			}
		}
	}
	if w.Resource == "" {
		return true
	}
	if len(f.Because) == 0 {
		return false
	}
	for i := range f.Because {
		src, st := f.Because[i].In()
		if st == nil || st.NotResource {
			return false
		}
		resources := st.Resources
		if len(resources) == 0 {
			resources = []policy.Text{{Value: src.Attached}}
		}
		for _, r := range resources {
			if !liesWithin(f.Because[i].of.Show(r.Value), w.Resource) {
				return false
			}
		}
	}
	return true
}

// liesWithin reports whether everything that a pattern matches is matched by another. A
// wildcard of the first lies within a "*" of the second alone; it may say no where yes
// would be right.
func liesWithin(inner, outer string) bool {
	in, out := []rune(inner), []rune(outer)
	i, o, star, mark := 0, 0, -1, 0
	for i < len(in) {
		switch {
		case o < len(out) && out[o] == '*':
			star, mark = o, i
			o++
		case o < len(out) && (out[o] == in[i] && in[i] != '*' || out[o] == '?' && in[i] != '*'):
			i, o = i+1, o+1
		case star >= 0:
			mark++
			i, o = mark, star+1
		default:
			return false
		}
	}
	for o < len(out) && out[o] == '*' {
		o++
	}
	return o == len(out)
}
