package sources

import (
	"slices"
	"strings"

	"buzon/agent/policy"
)

// claim is a right that a resource gives to whom it names, in a way that is not
// followed to its end here.
type claim struct {
	principal string
	from      Declared
	kind      string // the type of the resource
}

// held reads the policies that hang on any other resource: in whatever property
// something with the shape of a policy stands, and what the list of permissions
// names.
func (t *template) held(res *resource) {
	if properties[res.kind] != nil || res.properties == nil || slices.Contains(readApart, res.kind) {
		return
	}
	if res.kind == "AWS::Lambda::Permission" {
		t.lambdaPermission(res)
		return
	}
	t.within(res, res.properties, "")
}

// readApart are the types whose policies are read by name.
var readApart = []string{"AWS::S3::Bucket", "AWS::S3::AccessPoint", "AWS::KMS::Key", "AWS::KMS::ReplicaKey"}

// within looks for policies in a value of a resource.
func (t *template) within(res *resource, n *policy.Node, path string) {
	what := permissions[res.kind][path]
	switch {
	case what == limits || what == elsewhere:
		return
	case what == namesWhom:
		t.claims(res, n)
		return
	case isDocument(n):
		t.hang(res, n)
		return
	}
	if name, arg, ok := intrinsic(n); ok {
		switch {
		case name == "Fn::If" && len(arg.Items) == 3 && arg.Items[0].Kind == policy.StringNode && (what == grants || mentions(arg)):
			if branch := arg.Items[2]; t.condition(arg.Items[0].Text, arg.Items[0].Pos) {
				t.within(res, arg.Items[1], path)
			} else {
				t.within(res, branch, path)
			}
			return
		case what == grants || mentions(arg):
			t.asText(res, n, what)
			return
		}
		return
	}
	switch n.Kind {
	case policy.StringNode:
		if what == grants || mentions(n) {
			t.asText(res, n, what)
		}
	case policy.ArrayNode:
		for _, item := range n.Items {
			t.within(res, item, path)
		}
	case policy.ObjectNode:
		for _, m := range n.Members {
			t.within(res, m.Value, strings.TrimPrefix(path+"."+m.Key, "."))
		}
	case policy.NumberNode, policy.BoolNode, policy.NullNode:
	}
}

// isDocument tells a policy document by its shape.
func isDocument(n *policy.Node) bool {
	list := n.Get("Statement")
	if n.Kind != policy.ObjectNode || list == nil {
		return false
	}
	if _, _, ok := intrinsic(list); ok {
		return n.Get("Version") != nil
	}
	isStatement := func(s *policy.Node) bool { return s.Get("Effect") != nil || s.Get("Principal") != nil }
	return isStatement(list) || slices.ContainsFunc(list.Items, func(s *policy.Node) bool {
		_, _, open := intrinsic(s)
		return open || isStatement(s)
	})
}

// mentions reports whether a text of the value speaks of statements.
func mentions(n *policy.Node) bool {
	if n.Kind == policy.StringNode {
		return strings.Contains(n.Text, `"Statement"`) || strings.Contains(n.Text, `\"Statement\"`)
	}
	return slices.ContainsFunc(n.Items, mentions) || slices.ContainsFunc(n.Members, func(m policy.Member) bool {
		return m.Key == "Statement" || mentions(m.Value)
	})
}

// asText reads a policy that is written as a text, or in a way that only
// deployment knows.
func (t *template) asText(res *resource, n *policy.Node, what meaning) {
	if _, arg, ok := intrinsic(n); ok && isDocument(arg) { // ToJsonString
		t.hang(res, arg)
		return
	}
	v := t.resolve(n)
	switch {
	case v == nil:
	case isDocument(v):
		t.hang(res, v)
	case v.Kind == policy.StringNode:
		if doc, err := policy.ReadJSONWithSymbols(t.file, []byte(v.Text)); err == nil && isDocument(doc) {
			place(doc, n.Pos)
			t.hang(res, doc)
			return
		}
		if what == grants && !strings.HasPrefix(strings.TrimSpace(v.Text), "{") && !t.hasOpen(v.Text) {
			return // the name of something
		}
		t.gap(res.id, n.Pos)
	default:
	}
}

// place puts all of a value to one place.
func place(n *policy.Node, at policy.Position) {
	n.Pos = at
	for _, item := range n.Items {
		place(item, at)
	}
	for i := range n.Members {
		n.Members[i].Pos = at
		place(n.Members[i].Value, at)
	}
}

// hang takes a document for the policy of a resource. Of its Denies only those
// count that speak of the whole resource.
func (t *template) hang(res *resource, n *policy.Node) {
	doc := t.resolve(n)
	if doc == nil {
		return
	}
	if doc.Kind != policy.ObjectNode {
		t.gap(res.id, n.Pos)
		return
	}
	list := doc.Get("Statement")
	if list == nil {
		return
	}
	statements := list.Items
	if list.Kind != policy.ArrayNode {
		statements = []*policy.Node{list}
	}
	if !slices.ContainsFunc(statements, t.letsIn) {
		if !slices.ContainsFunc(statements, func(s *policy.Node) bool { return s.Get("Principal") != nil || s.Get("NotPrincipal") != nil }) {
			t.out.gaps = append(t.out.gaps, Gap{Reason: GapNotModelled, What: res.id + " (" + res.kind + ")", Source: -1, File: t.file, Pos: n.Pos})
		}
		return
	}
	kind, arns := policy.ResourcePolicy, t.hangsOn(res, statements)
	if len(arns) == 0 {
		t.out.gaps = append(t.out.gaps, Gap{Reason: GapNotModelled, What: res.id + " (" + res.kind + ")", Source: -1, File: t.file, Pos: n.Pos})
		return
	}
	whole := &policy.Node{Kind: policy.ObjectNode, Pos: doc.Pos, Members: []policy.Member{
		{Key: "Version", Pos: doc.Pos, Value: text("2012-10-17", doc.Pos)},
	}}
	items := &policy.Node{Kind: policy.ArrayNode, Pos: list.Pos}
	for _, s := range statements {
		if s = ofWhole(s); s != nil {
			items.Items = append(items.Items, s)
		}
	}
	whole.Members = append(whole.Members, policy.Member{Key: "Statement", Pos: list.Pos, Value: items})
	if strings.Contains(arns[0], ":s3:") && strings.Contains(arns[0], ":accesspoint/") {
		kind = policy.AccessPoint
	}
	faults := len(t.faults)
	src, ok := t.document(whole, kind, res.id)
	t.asWritten(&src, n)
	if len(t.faults) > faults { // a grammar of its own
		t.faults = t.faults[:faults]
		t.out.gaps = append(t.out.gaps, Gap{Reason: GapNotModelled, What: res.id + " (" + res.kind + ")", Source: -1, File: t.file, Pos: n.Pos})
		return
	}
	for _, arn := range arns {
		t.askAccount(arn)
		if ok {
			src.Attached = arn
			t.out.resources = append(t.out.resources, src)
		}
	}
}

// askAccount asks whether the account of the stack is the one in an ARN: whoever is
// let in needs no right of its own there.
func (t *template) askAccount(arn string) {
	if p, ok := parseARN(arn); ok && isAccount(p.account) && !slices.Contains(t.not[t.out.id], p.account) && policy.HasSymbol(t.out.id) {
		t.stacks.ask(question{text: t.out.id, values: []string{p.account}, about: []string{"${AWS::AccountId}"}}, true)
	}
}

// letsIn reports whether a statement could let in a principal of IAM.
func (t *template) letsIn(s *policy.Node) bool {
	effect, who := s.Get("Effect"), s.Get("Principal")
	switch {
	case s.Kind == policy.StringNode:
		return true
	case effect != nil && effect.Text == "Deny":
		return false
	case s.Get("NotPrincipal") != nil:
		return true
	case who == nil:
		return false
	}
	return who.Kind == policy.StringNode || who.Get("AWS") != nil
}

// ofWhole is a statement that speaks of the whole resource; nil for a Deny that
// doesn't.
func ofWhole(s *policy.Node) *policy.Node {
	if s.Kind != policy.ObjectNode {
		return s
	}
	out := &policy.Node{Kind: policy.ObjectNode, Pos: s.Pos}
	deny := s.Get("Effect") != nil && s.Get("Effect").Text == "Deny"
	for _, m := range s.Members {
		switch {
		case m.Key != "Resource" && m.Key != "NotResource":
			out.Members = append(out.Members, m)
		case deny && (m.Key == "NotResource" || m.Value.Text != "*"):
			return nil
		}
	}
	out.Members = append(out.Members, policy.Member{Key: "Resource", Pos: s.Pos, Value: text("*", s.Pos)})
	return out
}

// maxHeld bounds the resources that one policy is taken to hang on.
const maxHeld = 6

// hangsOn finds the ARNs of what a policy hangs on: as its statements say, else
// one that has the shape of what their actions are about.
func (t *template) hangsOn(res *resource, statements []*policy.Node) []string {
	if t.plan != nil && t.plan.Attached[res.id] != "" {
		return []string{t.plan.Attached[res.id]}
	}
	var out []string
	add := func(arn string) {
		if !slices.Contains(out, arn) && len(out) < maxHeld {
			out = append(out, arn)
		}
	}
	for _, s := range statements {
		if !t.letsIn(s) {
			continue
		}
		for _, r := range texts(s.Get("Resource")) {
			arn := strings.TrimSuffix(strings.TrimSuffix(r, "*"), "/")
			if segments := policy.Segments(arn); len(segments) == 6 && !strings.ContainsAny(arn, "*?$") && !t.hasOpen(arn) {
				add(arn)
			}
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, s := range statements {
		if !t.letsIn(s) {
			continue
		}
		if _, known := shapes[serviceOf(res.kind)]; !known && s.Get("Action") == nil {
			return nil
		}
		patterns := texts(s.Get("Action"))
		if s.Get("Action") == nil || slices.ContainsFunc(patterns, func(a string) bool { return !strings.Contains(a, ":") || t.hasOpen(a) }) {
			patterns = []string{serviceOf(res.kind) + ":*"}
		}
		for _, pattern := range patterns {
			service, _, _ := strings.Cut(strings.ToLower(pattern), ":")
			if shapes[service] == nil {
				return nil
			}
			for _, shape := range shapes[service] {
				add(t.shaped(res, service, shape))
			}
		}
	}
	return out
}

// shapes are the last parts of the ARNs of resources that have policies, "$" for
// the name, by the prefix of the service's actions (Service Authorization Reference,
// "Resource types defined by"). Of a service that isn't here the policy speaks of more
// than the resource that it hangs on, or has a grammar of its own.
var shapes = map[string][]string{
	"dynamodb": {"table/$"}, "ecr": {"repository/$"}, "elasticfilesystem": {"file-system/$"}, "es": {"domain/$"},
	"events": {"event-bus/$"}, "glacier": {"vaults/$"}, "kinesis": {"stream/$"}, "lambda": {"function:$"},
	"logs": {"log-group:$"}, "mediastore": {"container/$"}, "s3": {"accesspoint/$"},
	"s3-object-lambda": {"accesspoint/$"}, "s3express": {"bucket/$", "accesspoint/$"},
	"s3tables": {"bucket/$", "bucket/$/table/$"}, "s3vectors": {"bucket/$"}, "secretsmanager": {"secret:$"},
	"sns": {"$"}, "sqs": {"$"}, "ssm": {"parameter/$"},
}

// shaped fills the shape of an ARN.
func (t *template) shaped(res *resource, service, shape string) string {
	name := t.symbol("resource "+res.id+" held", "${"+res.id+"}", false)
	return "arn:" + t.partition() + ":" + service + ":" + t.theRegion() + ":" + t.out.id + ":" + strings.ReplaceAll(shape, "$", name)
}

// serviceOf is the prefix of the actions on resources of a type.
func serviceOf(kind string) string {
	part := strings.Split(kind, "::")
	if len(part) < 2 {
		return ""
	}
	name := strings.ToLower(part[1])
	if other, ok := map[string]string{
		"opensearchservice": "es", "elasticsearch": "es", "efs": "elasticfilesystem", "apigateway": "execute-api",
		"msk": "kafka", "eventschemas": "schemas",
	}[name]; ok {
		return other
	}
	return name
}

// texts lists a value that is a text or a list of texts.
func texts(n *policy.Node) []string {
	if n == nil {
		return nil
	}
	if n.Kind == policy.StringNode {
		return []string{n.Text}
	}
	var out []string
	for _, item := range n.Items {
		out = append(out, item.Text)
	}
	return out
}

// lambdaPermission is a statement of a function's policy (Lambda API Reference,
// "AddPermission").
func (t *template) lambdaPermission(res *resource) {
	p, at := res.properties, res.pos
	value := func(key string) string {
		if v := p.Get(key); v != nil {
			at = v.Pos
			return t.string(v)
		}
		return ""
	}
	function := value("FunctionName")
	if !strings.Contains(function, ":function:") {
		function = "arn:" + t.partition() + ":lambda:" + t.theRegion() + ":" + t.out.id + ":function:" + function
	}
	if t.hasOpen(function) {
		function = "arn:" + t.partition() + ":lambda:" + t.theRegion() + ":" + t.out.id + ":function:" + t.symbol("resource "+res.id, "${"+res.id+"}", false)
	}
	member := func(key, v string) policy.Member { return policy.Member{Key: key, Pos: at, Value: text(v, at)} }
	object := func(members ...policy.Member) *policy.Node {
		return &policy.Node{Kind: policy.ObjectNode, Pos: at, Members: members}
	}
	who := value("Principal")
	principal := object(member("AWS", who))
	if strings.ContainsRune(who, '.') && !strings.ContainsRune(who, ':') && !t.hasOpen(who) {
		return // a service (alexa-appkit.amazon.com is one, too) is nobody of ours
	}
	if who == "*" {
		principal = text("*", at)
	}
	statement := object(member("Effect", "Allow"), policy.Member{Key: "Principal", Pos: at, Value: principal},
		member("Action", value("Action")), member("Resource", "*"))
	var conditions []policy.Member
	for _, c := range [][3]string{
		{"PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"}, {"SourceAccount", "StringEquals", "aws:SourceAccount"},
		{"SourceArn", "ArnLike", "aws:SourceArn"}, {"FunctionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"},
	} {
		v := value(c[0])
		if v == "" {
			continue
		}
		i := slices.IndexFunc(conditions, func(m policy.Member) bool { return m.Key == c[1] })
		if i < 0 {
			i = len(conditions)
			conditions = append(conditions, policy.Member{Key: c[1], Pos: at, Value: object()})
		}
		conditions[i].Value.Members = append(conditions[i].Value.Members, member(c[2], v))
	}
	if len(conditions) > 0 {
		statement.Members = append(statement.Members, policy.Member{Key: "Condition", Pos: at, Value: object(conditions...)})
	}
	doc := object(member("Version", "2012-10-17"), policy.Member{Key: "Statement", Pos: at, Value: statement})
	t.askAccount(function)
	if src, ok := t.document(doc, policy.LambdaPermission, res.id); ok {
		src.Attached = function
		t.out.resources = append(t.out.resources, src)
	}
}

// claims notes whom a property names.
func (t *template) claims(res *resource, n *policy.Node) {
	v := t.resolve(n)
	if v == nil {
		return
	}
	if v.Kind == policy.StringNode && strings.HasPrefix(strings.TrimSpace(v.Text), "[") {
		if list, err := policy.ReadJSONWithSymbols(t.file, []byte(v.Text)); err == nil {
			for _, rule := range list.Items {
				if who := rule.Get("Principal"); who != nil {
					t.claims(res, who)
				}
			}
			return
		}
	}
	for _, who := range texts(v) {
		t.out.claims = append(t.out.claims, claim{who, t.declaredBy(res), res.kind})
	}
}

// claimed finds what is claimed for a principal.
func (j *joined) claimed(s *policy.Subject) []Gap {
	var out []Gap
	for _, a := range j.parts {
		for _, c := range a.claims {
			if c.principal != s.ARN && slices.ContainsFunc(j.principals, func(p *principal) bool { return p.subject.ARN == c.principal }) {
				continue // somebody else
			}
			who := strings.TrimSuffix(c.principal, ":root")
			who = who[strings.LastIndexByte(who, ':')+1:]
			ofAccount := who == s.Account || isAccount(who) && policy.HasSymbol(s.Account)
			if c.principal == "*" || ofAccount || mayBe(c.principal, s.ARN) {
				out = append(out, Gap{
					Reason: GapNotModelled, What: c.from.Name + " (" + c.kind + ")", Source: -1, File: c.from.File, Pos: c.from.Pos,
				})
			}
		}
	}
	return out
}
