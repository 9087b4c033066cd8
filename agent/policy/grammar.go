package policy

import (
	"regexp"
	"strings"
)

// String names the grammar in messages.
func (g Grammar) String() string {
	switch g {
	case Identity:
		return "identity"
	case Resource, BucketGrammar:
		return "resource"
	case TrustGrammar:
		return "trust"
	case SCPGrammar:
		return "scp"
	case RCPGrammar:
		return "rcp"
	}
	return "?"
}

// ofResource tells whether documents of the grammar hang on a resource.
func (g Grammar) ofResource() bool { return g == Resource || g == BucketGrammar }

// OfResource tells whether documents of the kind hang on a resource, and name
// both principals and resources.
func (k Kind) OfResource() bool { return k.Grammar().ofResource() }

// shape holds the whole statement against its grammar: what must be there,
// what must not, and what its resources may be.
func (p *parser) shape(st *Statement, has map[string]Position, meant map[string]bool) {
	forbid := func(names ...string) {
		for _, name := range names {
			if at, there := has[name]; there {
				p.fault(at, ForbiddenElement, "element", name, "grammar", p.opts.Grammar.String())
			}
		}
	}
	need := func(name, other string) {
		_, one := has[name]
		_, two := has[other]
		if !one && !two && !meant[name] && (other == "" || !meant[other]) {
			p.fault(st.Pos, MissingElement, "element", name)
		}
	}
	need("Effect", "")
	need("Action", "NotAction")
	switch p.opts.Grammar {
	case Identity, SCPGrammar:
		forbid("Principal", "NotPrincipal")
		need("Resource", "NotResource")
	case Resource, BucketGrammar:
		need("Principal", "NotPrincipal")
		need("Resource", "NotResource")
		p.bucket(st)
	case TrustGrammar:
		need("Principal", "NotPrincipal")
		forbid("Resource", "NotResource")
	case RCPGrammar:
		need("Principal", "")
		need("Resource", "NotResource")
		forbid("NotPrincipal", "NotAction")
		p.rcp(st, has)
	}
	for _, r := range st.Resources {
		p.resource(r)
	}
}

// bucket refuses "*" in a bucket policy, as S3 does (MalformedPolicy, "Policy has
// invalid resource"): it would seem to guard, and guards nothing.
func (p *parser) bucket(st *Statement) {
	for _, r := range st.Resources {
		if r.Value == "*" && p.opts.Grammar == BucketGrammar {
			p.fault(r.Pos, BucketWildcard, "got", r.Value)
		}
	}
}

// rcp holds a statement against what a resource control policy may say: Deny
// only, for everyone, and not for "*" alone. The one exception is the Allow of
// everything that AWS itself attaches, RCPFullAWSAccess.
func (p *parser) rcp(st *Statement, has map[string]Position) {
	for _, one := range st.Principals {
		if one.Kind != PrincipalEveryone {
			p.fault(one.Pos, BadPrincipal, "got", one.Value)
		}
	}
	all := len(st.Actions) == 1 && st.Actions[0].Value == "*" && !st.NotAction
	if st.Effect == Allow {
		every := len(st.Resources) == 1 && st.Resources[0].Value == "*" && !st.NotResource
		if !all || !every || len(st.Conditions) > 0 {
			p.fault(has["Effect"], ForbiddenAllow, "grammar", p.opts.Grammar.String())
		}
		return
	}
	for _, a := range st.Actions {
		if a.Value == "*" || a.Value == "*:*" {
			p.fault(a.Pos, ForbiddenWildcard, "element", "Action", "got", a.Value)
		}
	}
}

var (
	actionShape    = regexp.MustCompile(`^[A-Za-z0-9-]+:[A-Za-z0-9*?_.-]+$`)
	accountID      = regexp.MustCompile(`^[0-9]{12}$`)
	uniqueID       = regexp.MustCompile(`^A[A-Z0-9]{15,127}$`)
	canonicalID    = regexp.MustCompile(`^[0-9a-f]{64}$`)
	servicePart    = regexp.MustCompile(`^[a-z0-9-]+$`)
	partitions     = regexp.MustCompile(`^[a-z*?][a-z0-9*?-]*$`)
	namedARN       = regexp.MustCompile(`^arn:[a-z][a-z0-9-]*:(iam|sts)::([0-9]{12}):(.+)$`)
	originIdentity = regexp.MustCompile(`^arn:[a-z][a-z0-9-]*:iam::cloudfront:user/CloudFront Origin Access Identity [A-Z0-9]+$`)
	roleSession    = regexp.MustCompile(`^assumed-role/[^/]+/[^/]+$`)
	hostShape      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*\.[A-Za-z0-9.-]+(/[^*?\s]*)?$`)
)

func (p *parser) action(a Text) {
	if a.Value == "*" || a.Value == "*:*" || p.opts.Symbols && HasSymbol(a.Value) || actionShape.MatchString(a.Value) {
		return
	}
	p.fault(a.Pos, BadAction, "got", a.Value)
}

// resource holds a pattern against the grammar of ARNs. Fewer than six parts
// are filled up (CompleteARN), but not in the policies of organizations.
func (p *parser) resource(r Text) {
	if r.Value == "*" {
		return
	}
	variables := p.variables(r)
	parts := Segments(r.Value)
	for i, part := range parts {
		if p.opts.Symbols && i < 5 && HasSymbol(part) {
			return // a value of the template may hold the colons
		}
		ok := true
		switch i {
		case 0:
			ok = part == "arn"
		case 1:
			ok = partitions.MatchString(part)
		case 2:
			ok = servicePart.MatchString(part)
		case 5:
			ok = part != ""
		}
		if i < 5 && variables && strings.Contains(part, "${") {
			p.fault(r.Pos, MisplacedVariable, "got", r.Value)
			return
		}
		if !ok || strings.ContainsAny(part, "\n\r\t") {
			p.fault(r.Pos, BadARN, "got", r.Value)
			return
		}
	}
	organization := p.opts.Grammar == SCPGrammar || p.opts.Grammar == RCPGrammar
	if len(parts) < 3 || organization && len(parts) < 6 {
		p.fault(r.Pos, BadARN, "got", r.Value)
	}
}

// variables checks that each "${" of a text begins a variable, and reports
// whether there is any. In a document of Version 2008 there is none.
func (p *parser) variables(t Text) bool {
	if !p.expands || !strings.Contains(t.Value, "${") {
		return false
	}
	if _, ok := Pieces(t.Value, true); !ok {
		p.fault(t.Pos, BadVariable, "got", t.Value)
		return false
	}
	return true
}

func (p *parser) principals(m Member) []Principal {
	switch m.Value.Kind {
	case StringNode:
		if m.Value.Text != "*" {
			p.fault(m.Value.Pos, BadPrincipal, "got", m.Value.Text)
			return nil
		}
		return []Principal{{PrincipalEveryone, Text{"*", m.Value.Pos}}}
	case ObjectNode:
	case NullNode, BoolNode, NumberNode, ArrayNode:
		p.fault(m.Value.Pos, WrongType, "element", m.Key, "got", m.Value.Kind.String(), "want", `object, "*"`)
		return nil
	}
	if len(m.Value.Members) == 0 {
		p.fault(m.Value.Pos, EmptyElement, "element", m.Key)
	}
	var all []Principal
	for _, kind := range m.Value.Members {
		var k PrincipalKind
		switch kind.Key {
		case "AWS":
			k = PrincipalAWS
		case "Service":
			k = PrincipalService
		case "Federated":
			k = PrincipalFederated
		case "CanonicalUser":
			k = PrincipalCanonical
		default:
			p.fault(kind.Pos, UnknownPrincipal, "got", kind.Key)
			continue
		}
		for _, text := range p.list(kind) {
			if k == PrincipalAWS && text.Value == "*" {
				all = append(all, Principal{PrincipalEveryone, text})
				continue
			}
			if !p.validPrincipal(k, text.Value) {
				p.fault(text.Pos, BadPrincipal, "got", text.Value)
			}
			all = append(all, Principal{k, text})
		}
	}
	return all
}

// validPrincipal holds a name against the forms of "AWS JSON policy elements:
// Principal" in the IAM User Guide. No part of one may be a wildcard.
func (p *parser) validPrincipal(kind PrincipalKind, s string) bool {
	if p.opts.Symbols && HasSymbol(s) {
		return true
	}
	if kind == PrincipalAWS && OriginAccessIdentity(s) {
		return true
	}
	if strings.ContainsAny(s, "*? \n\r\t") {
		return false
	}
	switch kind {
	case PrincipalAWS:
		if accountID.MatchString(s) || uniqueID.MatchString(s) {
			return true
		}
		arn := namedARN.FindStringSubmatch(s)
		if arn == nil {
			return false
		}
		if arn[1] == "sts" {
			return roleSession.MatchString(arn[3]) || strings.HasPrefix(arn[3], "federated-user/")
		}
		return arn[3] == "root" || strings.HasPrefix(arn[3], "user/") || strings.HasPrefix(arn[3], "role/")
	case PrincipalService:
		return hostShape.MatchString(s)
	case PrincipalFederated:
		return hostShape.MatchString(s) || strings.HasPrefix(s, "arn:") && len(Segments(s)) == 6
	case PrincipalCanonical:
		return canonicalID.MatchString(s)
	case PrincipalEveryone:
	}
	return s == "*"
}

// OriginAccessIdentity tells whether a principal is one of CloudFront's own
// identities (CloudFront Developer Guide, "Restrict access to an Amazon S3
// origin"): nobody's user, although S3 hands it back as one.
func OriginAccessIdentity(principal string) bool { return originIdentity.MatchString(principal) }

// conditions reads a Condition. Its faults don't touch what the statement says
// of principals, actions and resources, so outside doesn't count them.
func (p *parser) conditions(m Member) []Condition {
	outside := p.outside
	defer func() { p.outside = outside }()
	if m.Value.Kind != ObjectNode {
		p.fault(m.Value.Pos, WrongType, "element", m.Key, "got", m.Value.Kind.String(), "want", "object")
		return nil
	}
	var all []Condition
	for _, operator := range m.Value.Members {
		op, ok := ParseOperator(operator.Key)
		if !ok {
			if want := similarOperator(operator.Key); want != "" {
				p.fault(operator.Pos, MisspelledOperator, "got", operator.Key, "want", want)
			} else {
				p.fault(operator.Pos, UnknownOperator, "got", operator.Key)
			}
			continue
		}
		if operator.Value.Kind != ObjectNode {
			p.fault(operator.Value.Pos, WrongType, "element", operator.Key, "got", operator.Value.Kind.String(), "want", "object")
			continue
		}
		for _, key := range operator.Value.Members {
			if !validKey(key.Key) {
				p.fault(key.Pos, BadConditionKey, "got", key.Key)
				continue
			}
			all = append(all, Condition{Operator: op, Key: key.Key, Values: p.values(op, key), Pos: key.Pos})
		}
	}
	return all
}

// values reads the values of one key. Numbers and Booleans may stand without
// quotes.
func (p *parser) values(op Operator, m Member) []Text {
	items := []*Node{m.Value}
	if m.Value.Kind == ArrayNode {
		if items = m.Value.Items; len(items) == 0 {
			p.fault(m.Value.Pos, EmptyElement, "element", m.Key)
		}
	}
	all := make([]Text, 0, len(items))
	for _, item := range items {
		switch item.Kind {
		case StringNode, NumberNode, BoolNode:
		case NullNode, ArrayNode, ObjectNode:
			p.fault(item.Pos, WrongType, "element", m.Key, "got", item.Kind.String(), "want", "string, array")
			continue
		}
		text := Text{item.Text, item.Pos}
		all = append(all, text)
		switch variable := p.variables(text); {
		case p.opts.Symbols && HasSymbol(text.Value):
		case variable && !op.Test.Variables():
			p.fault(text.Pos, MisplacedVariable, "got", text.Value)
		case !validValue(op.Test, text.Value):
			p.fault(text.Pos, BadValue, "operator", op.String(), "got", text.Value)
		}
	}
	return all
}
