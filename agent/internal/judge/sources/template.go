package sources

import (
	"slices"
	"strings"

	"buzon/agent/policy"
)

// maxBranches bounds the assignments of a template's conditions that are looked
// at one by one.
const maxBranches = 64

// readTemplate reads a CloudFormation template. A principal whose documents
// differ between the outcomes of its conditions gives a subject for each.
func (l *loader) readTemplate(file string) ([]Subject, error) {
	outcomes, err := l.outcomes(file)
	if err != nil {
		return nil, err
	}
	var out []Subject
	seen := map[string]bool{}
	left := l.notJudged
	for _, o := range outcomes {
		l.notJudged = left
		for _, s := range l.cut(o.account, file, l.named) {
			if key := fingerprint(&s); !seen[key] {
				seen[key] = true
				s.When = o.when
				out = append(out, s)
			}
		}
	}
	return out, nil
}

// outcomes reads a template. Conditions that synthesis can't decide are looked
// at both ways.
func (l *loader) outcomes(file string) ([]outcome, error) {
	raw, err := l.read(file)
	if err != nil {
		return nil, err
	}
	root, err := readTree(file, raw)
	if err != nil {
		return nil, err
	}
	if root.Kind != policy.ObjectNode || root.Get("Resources") == nil || root.Get("Resources").Kind != policy.ObjectNode {
		return nil, policy.Errors{fault(file, root.Pos, NotATemplate)}
	}
	if faults := checkShape(file, root); len(faults) > 0 {
		return nil, sorted(faults)
	}
	var out []outcome
	queue := []map[string]bool{{}}
	for done := 0; len(queue) > 0; done++ {
		assigned := queue[0]
		queue = queue[1:]
		t := l.newTemplate(file, root, assigned)
		a := t.account()
		if len(t.faults) > 0 {
			return nil, sorted(t.faults)
		}
		if len(t.open) > 0 && done < 4*maxBranches {
			for _, truth := range []bool{true, false} {
				next := map[string]bool{t.open[0]: truth}
				for k, v := range assigned {
					next[k] = v
				}
				queue = append(queue, next)
			}
			continue
		}
		if done >= 4*maxBranches {
			a.gaps = append(a.gaps, Gap{Reason: GapUnresolved, What: t.open0(), Source: -1})
			queue = nil
		}
		out = append(out, outcome{file: file, when: when(assigned), account: a})
	}
	return out, nil
}

func (t *template) open0() string {
	if len(t.open) > 0 {
		return t.open[0]
	}
	return t.file
}

func when(assigned map[string]bool) []string {
	var out []string
	for k, v := range assigned {
		if !v {
			k = strings.Replace(k, " = ", " ≠ ", 1)
		}
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// fingerprint tells two subjects apart that differ in anything judged.
func fingerprint(s *Subject) string {
	var b strings.Builder
	b.WriteString(s.Set.Subject.ARN + "\x00" + s.Set.Bucket + "\x00" + s.Prefix)
	for _, src := range s.Set.Sources {
		b.WriteString("\x00" + string(src.Kind) + "\x00" + src.Attached + "\x00" + src.SHA256)
	}
	for _, g := range s.Gaps {
		b.WriteString("\x00" + string(g.Reason) + g.What)
	}
	return s.Show(b.String())
}

func sorted(faults policy.Errors) policy.Errors {
	slices.SortStableFunc(faults, func(a, b *policy.Error) int {
		if a.Pos.Line != b.Pos.Line {
			return a.Pos.Line - b.Pos.Line
		}
		return a.Pos.Column - b.Pos.Column
	})
	return slices.CompactFunc(faults, func(a, b *policy.Error) bool {
		return a.Pos == b.Pos && a.Code == b.Code && a.Args["name"] == b.Args["name"]
	})
}

type template struct {
	resolver
	sel     Selection
	raw     []byte
	root    *policy.Node
	outputs *policy.Node
	out     *account
	users   map[string]*principal // by name
	roles   map[string]*principal
}

func (l *loader) newTemplate(file string, root *policy.Node, assigned map[string]bool) *template {
	t := &template{
		resolver: resolver{
			file: file, parameters: map[string]bool{}, resources: map[string]*resource{},
			mappings: root.Get("Mappings"), conditions: root.Get("Conditions"),
			symbols: policy.Symbols{}, runes: map[string]rune{}, assigned: assigned, removed: map[string]bool{},
			pending: map[string]bool{}, region: l.sel.Region,
		},
		sel: l.sel, raw: l.texts[file], root: root, outputs: root.Get("Outputs"),
		out: newAccount(), users: map[string]*principal{}, roles: map[string]*principal{},
	}
	if p := root.Get("Parameters"); p != nil {
		for _, m := range p.Members {
			t.parameters[m.Key] = true
		}
	}
	buckets := 0
	for _, m := range root.Get("Resources").Members {
		if strings.HasPrefix(m.Key, "Fn::") {
			continue // account() says so
		}
		res := &resource{id: m.Key, kind: m.Value.Get("Type").Text, pos: m.Pos, properties: m.Value.Get("Properties")}
		if c := m.Value.Get("Condition"); c != nil {
			res.condition = c.Text
		}
		t.resources[m.Key] = res
		t.order = append(t.order, m.Key)
		if res.kind == "AWS::S3::Bucket" {
			buckets++
			t.target = m.Key
		}
	}
	if buckets != 1 {
		t.target = ""
	}
	if v := t.outputs.Get("BucketName").Get("Value"); v != nil {
		if ref := v.Get("Ref"); ref != nil && t.resources[ref.Text] != nil {
			t.target = ref.Text
		}
	}
	t.named = l.sel.Bucket
	return t
}

// account resolves what of the template bears on rights.
func (t *template) account() *account {
	a := t.out
	a.symbols = t.symbols
	a.topics = []Assumption{
		{TopicUserPolicies, Outside}, {TopicGroupPolicies, Outside}, {TopicRoleTrust, Outside},
		{TopicAccessPoint, Outside}, {TopicAccessGrants, Outside}, {TopicOtherResources, Outside},
	}
	for _, id := range t.order {
		res := t.resources[id]
		if res.condition != "" && !t.condition(res.condition, res.pos) {
			delete(t.resources, id)
			t.removed[id] = true
		}
	}
	a.gaps = append(a.gaps, t.macros()...)
	t.eachResource(t.beyond)
	t.eachResource(t.holders)
	t.eachResource(t.attachments)
	t.eachResource(t.onResources)
	t.aimed()
	return a
}

func (t *template) eachResource(do func(*resource)) {
	for _, id := range t.order {
		if res := t.resources[id]; res != nil {
			do(res)
		}
	}
}

// aimed finds the bucket and the prefix that uploaders are held to.
func (t *template) aimed() {
	a := t.out
	if res := t.resources[t.target]; res != nil {
		a.bucket, a.owns = t.name(res), true
		a.key = t.keyOf(res)
		v := res.properties.Get("VersioningConfiguration").Get("Status")
		if v == nil || t.string(v) != "Enabled" {
			a.versioning = VersioningOff
		} else {
			a.versioning = VersioningOn
		}
		hasPolicy := slices.ContainsFunc(a.resources, func(s policy.Source) bool {
			return s.Kind == policy.BucketPolicy && s.Attached == t.arn(res)
		})
		if !hasPolicy {
			a.topics = append(a.topics, Assumption{TopicBucketPolicy, Outside})
		}
		if t.aclsMatter(res) {
			a.topics = append(a.topics, Assumption{TopicACL, NotRead})
		}
	} else {
		a.topics = append(a.topics, Assumption{TopicBucketPolicy, Outside}, Assumption{TopicACL, Outside},
			Assumption{TopicVersioning, Outside})
		if v := t.outputs.Get("BucketName").Get("Value"); v != nil {
			a.bucket = t.string(v)
		}
	}
	if v := t.outputs.Get("PrefixPattern").Get("Value"); v != nil {
		if p := t.string(v); !t.hasOpen(p) {
			a.prefix = p
		}
	}
}

// keyOf is the ARN of the template's key that encrypts a bucket by default, ""
// where there is none.
func (t *template) keyOf(bucket *resource) string {
	rules := t.resolve(bucket.properties.Get("BucketEncryption").Get("ServerSideEncryptionConfiguration"))
	if rules == nil {
		return ""
	}
	for _, rule := range rules.Items {
		id := t.string(rule.Get("ServerSideEncryptionByDefault").Get("KMSMasterKeyID"))
		for _, res := range t.resources {
			if id != "" && res.kind == "AWS::KMS::Key" && (id == t.arn(res) || id == t.name(res)) {
				return t.arn(res)
			}
		}
	}
	return ""
}

// aclsMatter reports whether the bucket's ownership setting leaves its ACL in
// force; the default since April 2023 does not (S3 User Guide, "Controlling
// ownership of objects").
func (t *template) aclsMatter(res *resource) bool {
	controls := t.resolve(res.properties.Get("OwnershipControls"))
	if controls == nil {
		return res.properties.Get("AccessControl") != nil
	}
	rules := controls.Get("Rules")
	if rules == nil || len(rules.Items) == 0 {
		return true
	}
	return t.string(rules.Items[0].Get("ObjectOwnership")) != "BucketOwnerEnforced"
}

// holders makes users, roles, groups and managed policies.
func (t *template) holders(res *resource) {
	a := t.out
	switch res.kind {
	case "AWS::IAM::User", "AWS::IAM::Role":
		p := &principal{subject: policy.Subject{
			Type: policy.User, ARN: t.arn(res), Partition: t.partition(), Account: t.account12(),
			Path: t.path(res), Name: t.name(res),
		}, declared: Declared{Name: res.id, Pos: res.pos}}
		t.inlineAndAttached(res, &p.holder)
		if b := res.properties.Get("PermissionsBoundary"); b != nil {
			p.boundary = t.string(b)
		}
		if tags := t.resolve(res.properties.Get("Tags")); tags != nil {
			t.tags(&p.subject, tags)
		} else {
			p.subject.TagsKnown = true
		}
		if res.kind == "AWS::IAM::User" {
			t.users[p.subject.Name] = p
			p.unnamed = res.properties.Get("UserName") == nil
			p.groups = t.strings(res.properties.Get("Groups"))
		} else {
			p.subject.Type = policy.Role
			t.roles[p.subject.Name] = p
			p.unnamed = res.properties.Get("RoleName") == nil
			if src, ok := t.document(t.must(res, "AssumeRolePolicyDocument"), policy.Trust, res.id); ok {
				src.Attached = p.subject.ARN
				a.trusts = append(a.trusts, src)
			}
		}
		a.principals = append(a.principals, p)
	case "AWS::IAM::Group":
		g := &holder{}
		t.inlineAndAttached(res, g)
		a.groups[t.name(res)] = g
	case "AWS::IAM::ManagedPolicy":
		arn := t.arn(res)
		a.managed[arn] = nil
		if src, ok := t.document(t.must(res, "PolicyDocument"), policy.UserManaged, res.id); ok {
			src.ARN = arn
			a.managed[arn] = &src
		}
	}
}

func (t *template) account12() string { return t.resolver.account() }

func (t *template) tags(s *policy.Subject, tags *policy.Node) {
	s.Tags, s.TagsKnown = map[string]string{}, true
	for _, item := range tags.Items {
		key, value := t.string(item.Get("Key")), t.string(item.Get("Value"))
		if t.hasOpen(key) || t.hasOpen(value) {
			s.TagsKnown = false
		}
		s.Tags[key] = value
	}
	if !s.TagsKnown || tags.Kind != policy.ArrayNode {
		s.Tags, s.TagsKnown = nil, false
	}
}

func (t *template) inlineAndAttached(res *resource, h *holder) {
	h.attached = append(h.attached, t.strings(res.properties.Get("ManagedPolicyArns"))...)
	list := t.resolve(res.properties.Get("Policies"))
	if list == nil {
		return
	}
	if list.Kind != policy.ArrayNode {
		h.gaps = append(h.gaps, Gap{Reason: GapUnresolved, What: res.id + ".Policies", Source: -1, Pos: list.Pos})
		return
	}
	for _, item := range list.Items {
		if src, ok := t.document(t.need(item, res.id+".Policies", "PolicyDocument"), policy.UserInline, t.string(item.Get("PolicyName"))); ok {
			h.inline = append(h.inline, src)
		}
	}
}

// strings resolves a list of texts.
func (t *template) strings(n *policy.Node) []string {
	v := t.resolve(n)
	if v == nil {
		return nil
	}
	if v.Kind != policy.ArrayNode {
		return []string{t.string(v)}
	}
	var out []string
	for _, item := range v.Items {
		out = append(out, t.string(item))
	}
	return out
}

// attachments hangs on what other resources give to users, roles and groups.
func (t *template) attachments(res *resource) {
	p := res.properties
	switch res.kind {
	case "AWS::IAM::Policy", "AWS::IAM::UserPolicy", "AWS::IAM::RolePolicy", "AWS::IAM::GroupPolicy":
		src, ok := t.document(t.must(res, "PolicyDocument"), policy.UserInline, t.string(p.Get("PolicyName")))
		if !ok {
			return
		}
		give := func(h *holder) { h.inline = append(h.inline, src) }
		t.give(res, give)
	case "AWS::IAM::ManagedPolicy":
		arn := t.arn(res)
		t.give(res, func(h *holder) {
			if !slices.Contains(h.attached, arn) {
				h.attached = append(h.attached, arn)
			}
		})
	case "AWS::IAM::UserToGroupAddition":
		group := t.string(p.Get("GroupName"))
		for _, name := range t.strings(p.Get("Users")) {
			if t.anybody(name, res) {
				continue
			}
			if u := t.users[name]; u != nil && !slices.Contains(u.groups, group) {
				u.groups = append(u.groups, group)
			}
		}
	}
}

// give finds the holders that a resource names.
func (t *template) give(res *resource, do func(*holder)) {
	p := res.properties
	one := func(key string) []string {
		if v := p.Get(key); v != nil {
			return []string{t.string(v)}
		}
		return nil
	}
	for _, name := range append(t.strings(p.Get("Users")), one("UserName")...) {
		if u := t.users[name]; u != nil {
			do(&u.holder)
		} else {
			t.anybody(name, res)
		}
	}
	for _, name := range append(t.strings(p.Get("Roles")), one("RoleName")...) {
		if r := t.roles[name]; r != nil {
			do(&r.holder)
		} else {
			t.anybody(name, res)
		}
	}
	for _, name := range append(t.strings(p.Get("Groups")), one("GroupName")...) {
		if g := t.out.groups[name]; g != nil {
			do(g)
		} else {
			t.anybody(name, res)
		}
	}
}

// anybody notes an attachment to a name that only deployment knows: it may be
// any principal of the template.
func (t *template) anybody(name string, res *resource) bool {
	if !t.hasOpen(name) {
		return false
	}
	t.out.gaps = append(t.out.gaps, Gap{
		Reason: GapUnresolved, What: res.id + ": " + showSymbols(t.symbols, name), Source: -1, Pos: res.pos,
	})
	return true
}

// onResources reads the policies of buckets, access points and keys.
func (t *template) onResources(res *resource) {
	p := res.properties
	var src policy.Source
	var ok bool
	switch res.kind {
	case "AWS::S3::BucketPolicy":
		if src, ok = t.document(t.must(res, "PolicyDocument"), policy.BucketPolicy, res.id); ok {
			bucket := t.string(p.Get("Bucket"))
			if t.hasOpen(bucket) {
				bucket = t.named // the one that the caller knows, if any
			}
			src.Attached = "arn:" + t.partition() + ":s3:::" + bucket
		}
	case "AWS::S3::AccessPoint":
		if p.Get("Policy") == nil {
			return
		}
		if src, ok = t.document(p.Get("Policy"), policy.AccessPoint, res.id); ok {
			src.Attached = t.arn(res)
			if bucket := t.string(p.Get("Bucket")); !t.hasOpen(bucket) {
				src.Bucket = "arn:" + t.partition() + ":s3:::" + bucket
			}
		}
	case "AWS::KMS::Key":
		if src, ok = t.document(p.Get("KeyPolicy"), policy.KeyPolicy, res.id); ok {
			src.Attached = t.arn(res)
		}
	}
	if ok {
		t.out.resources = append(t.out.resources, src)
	}
}

// document resolves and parses one policy document of the template. It is false
// where there is none.
func (t *template) document(n *policy.Node, kind policy.Kind, name string) (policy.Source, bool) {
	if n == nil {
		return policy.Source{}, false
	}
	resolved := t.resolve(n)
	if resolved == nil {
		return policy.Source{}, false
	}
	if resolved.Kind != policy.ObjectNode {
		t.out.gaps = append(t.out.gaps, Gap{
			Reason: GapUnresolved, What: showSymbols(t.symbols, name), Source: -1, Pos: n.Pos,
		})
		return policy.Source{}, false
	}
	closed, any := t.close(resolved)
	if !any {
		return policy.Source{}, false
	}
	doc, err := policy.ParseNode(t.file, closed, policy.ParseOptions{Grammar: kind.Grammar(), Symbols: true})
	if err != nil {
		if !collect(&t.faults, err) {
			t.fault(n.Pos, WrongShape, "name", name, "want", "policy")
		}
		return policy.Source{}, false
	}
	raw := doc.JSON()
	return policy.Source{
		Kind: kind, Name: showSymbols(t.symbols, name), File: t.file, Raw: raw, SHA256: digest(raw),
		First: n.Pos, Document: doc,
	}, true
}
