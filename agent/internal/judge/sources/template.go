package sources

import (
	"slices"
	"strings"

	"buzon/agent/internal/judge/sources/terraform"
	"buzon/agent/policy"
)

// templateFile is a template as it was read, with its loops written out.
type templateFile struct {
	name string
	root *policy.Node
	plan *terraform.Plan // where it was made of one
}

// readTemplate reads a CloudFormation template.
func (l *loader) readTemplate(file string) (*templateFile, error) {
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
	l.declared(file, root) // so that what is used in a loop counts as used
	written := loops{parameters: l.parameters.given, mappings: root.Get("Mappings"), left: maxSteps / 8}
	root = written.written(root)
	if faults := append(checkShape(file, root), repeated(file, root.Get("Resources"))...); len(faults) > 0 {
		return nil, sorted(faults)
	}
	return &templateFile{name: file, root: root}, nil
}

// repeated finds resources that loops make twice.
func repeated(file string, resources *policy.Node) policy.Errors {
	var faults policy.Errors
	seen := map[string]bool{}
	for _, m := range resources.Members {
		if seen[m.Key] {
			faults = append(faults, fault(file, m.Pos, policy.DuplicateKey, "key", m.Key))
		}
		seen[m.Key] = true
	}
	return faults
}

type template struct {
	resolver
	sel     Selection
	root    *policy.Node
	outputs *policy.Node
	plan    *terraform.Plan
	out     *account

	anything string // the resource that stands for all in the document being closed
}

func (l *loader) newTemplate(src *templateFile, at choices, s *stacks) *template {
	root := src.root
	t := &template{
		resolver: resolver{
			file: src.name, parameters: l.declared(src.name, root), resources: map[string]*resource{},
			mappings: root.Get("Mappings"), conditions: root.Get("Conditions"), written: writtenByMacro(root),
			names: l.names, choices: at, stacks: s, removed: map[string]bool{},
			pending: map[string]bool{}, region: l.sel.Region, id: l.account,
		},
		sel: l.sel, root: root, outputs: root.Get("Outputs"), plan: src.plan, out: newAccount(src.name),
	}
	t.out.id = t.resolver.account()
	for _, m := range root.Get("Resources").Members {
		if strings.HasPrefix(m.Key, "Fn::") {
			continue // macros() says so
		}
		res := &resource{id: m.Key, pos: m.Pos, node: m.Value, properties: m.Value.Get("Properties")}
		if kind := m.Value.Get("Type"); kind != nil {
			res.kind = kind.Text
		}
		if c := m.Value.Get("Condition"); c != nil {
			res.condition = c.Text
		}
		if src.plan != nil {
			res.known = src.plan.ARNs[m.Key]
		}
		t.resources[m.Key] = res
		t.order = append(t.order, m.Key)
	}
	return t
}

// account resolves what of the template bears on rights.
func (t *template) account() *account {
	a := t.out
	a.topics = []Assumption{
		{TopicUserPolicies, Outside}, {TopicGroupPolicies, Outside}, {TopicRoleTrust, Outside},
		{TopicAccessPoint, Outside}, {TopicAccessGrants, Outside}, {TopicOtherResources, Outside},
	}
	for _, id := range t.order {
		res := t.resources[id]
		if res.condition != "" && bears(res) && !t.condition(res.condition, res.pos) {
			delete(t.resources, id)
			t.removed[id] = true
		}
	}
	t.findTarget()
	t.macros()
	t.eachResource(t.beyond)
	t.eachResource(t.holders)
	t.eachResource(t.attachments)
	t.eachResource(t.onResources)
	t.eachResource(t.held)
	t.aimed()
	if t.plan != nil {
		t.fromPlan(t.plan)
	}
	return a
}

// bears tells the resources that can bear on rights: of the others it doesn't matter
// whether they are there.
func bears(res *resource) bool {
	return properties[res.kind] != nil || permissions[res.kind] != nil || slices.Contains(readApart, res.kind) ||
		res.kind == "AWS::Lambda::Permission" || res.kind == "AWS::IAM::AccessKey" || res.properties != nil && mentions(res.properties)
}

// findTarget finds the bucket that uploaders write to: the one that has the name
// that was asked for, or that the template's own outputs name. One whose name isn't
// known may be it.
func (t *template) findTarget() {
	t.named, t.maybe = t.sel.Bucket, map[rune]bool{}
	var buckets []*resource
	t.eachResource(func(res *resource) {
		if res.kind == "AWS::S3::Bucket" {
			buckets = append(buckets, res)
		}
	})
	output := t.outputs.Get("BucketName").Get("Value").Get("Ref")
	var perhaps []*resource
	for _, res := range buckets {
		name := t.writtenName(res)
		switch {
		case t.named != "" && name == t.named:
			t.target = res.id
			return
		case t.named != "" && name != "" && !mayBe(name, t.named):
		case output != nil && output.Text == res.id:
			t.target = res.id
			return
		default:
			perhaps = append(perhaps, res)
		}
	}
	switch {
	case output != nil && output.Kind == policy.StringNode && t.resources[output.Text] != nil:
		// It names one that has another name than the one asked for.
	case (t.named == "" || t.stacks.design) && len(perhaps) == 1:
		t.target = perhaps[0].id
	case t.named != "":
		for _, res := range perhaps {
			for _, c := range t.name(res.only()) {
				t.maybe[c] = true
			}
		}
	}
}

// only is the resource as if it had no name of its own.
func (res *resource) only() *resource { return &resource{id: res.id, kind: res.kind, pos: res.pos} }

// targetName is the name of the bucket in question, as far as the template knows.
func (t *template) targetName() string {
	if t.named != "" {
		return t.named
	}
	if res := t.resources[t.target]; res != nil {
		return t.name(res)
	}
	return t.string(t.outputs.Get("BucketName").Get("Value"))
}

func (t *template) bucketARN(name string) string { return "arn:" + t.partition() + ":s3:::" + name }

// contractPrefix is the prefix that uploaders are held to; it may hold {name}.
func (t *template) contractPrefix() string {
	if t.sel.Prefix != "" {
		return t.sel.Prefix
	}
	if p := t.string(t.outputs.Get("PrefixPattern").Get("Value")); !t.hasOpen(p) {
		return p
	}
	return ""
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
	if t.sel.Prefix == "" {
		a.prefix = t.contractPrefix()
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
	case "AWS::IAM::User":
		p := t.principal(res, policy.User)
		p.groups = t.strings(res.properties.Get("Groups"))
		// A template shows what it makes; keys made otherwise are not in it.
		p.keys = &Credentials{Password: t.resolve(res.properties.Get("LoginProfile")) != nil}
	case "AWS::IAM::Role":
		p := t.principal(res, policy.Role)
		if src, ok := t.document(t.must(res, "AssumeRolePolicyDocument"), policy.Trust, res.id); ok {
			src.Attached = p.subject.ARN
			a.trusts = append(a.trusts, src)
		}
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

// principal makes a user or a role.
func (t *template) principal(res *resource, kind policy.Type) *principal {
	p := &principal{
		subject: policy.Subject{
			Type: kind, ARN: t.arn(res), Partition: t.partition(), Account: t.out.id, Path: t.path(res), Name: t.name(res),
		},
		declared: t.declaredBy(res), written: t.writtenName(res),
		unnamed: res.properties.Get(nameProperty[res.kind]) == nil,
	}
	if path := res.properties.Get("Path"); path != nil && policy.HasSymbol(p.subject.Path) {
		p.path = t.string(path)
	}
	t.inlineAndAttached(res, &p.holder)
	if b := res.properties.Get("PermissionsBoundary"); b != nil {
		p.boundary = t.string(b)
	}
	if tags := t.resolve(res.properties.Get("Tags")); tags != nil {
		t.tags(&p.subject, tags)
	} else {
		p.subject.TagsKnown = true
	}
	t.out.principals = append(t.out.principals, p)
	return p
}

func (t *template) declaredBy(res *resource) Declared { return Declared{res.id, t.file, res.pos} }

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
		h.gaps = append(h.gaps, Gap{Reason: GapUnresolved, What: res.id + ".Policies", Source: -1, File: t.file, Pos: list.Pos})
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

// attachments notes what other resources give to users, roles and groups.
func (t *template) attachments(res *resource) {
	p := res.properties
	g := gift{from: t.declaredBy(res)}
	switch res.kind {
	case "AWS::IAM::Policy", "AWS::IAM::UserPolicy", "AWS::IAM::RolePolicy", "AWS::IAM::GroupPolicy":
		src, ok := t.document(t.must(res, "PolicyDocument"), policy.UserInline, t.string(p.Get("PolicyName")))
		if !ok {
			return
		}
		g.inline = &src
	case "AWS::IAM::ManagedPolicy":
		g.managed = t.arn(res)
	case terraform.Attachment:
		g.managed = t.string(p.Get("PolicyArn"))
	case "AWS::IAM::AccessKey":
		status := t.string(p.Get("Status"))
		t.out.credentials = append(t.out.credentials, madeKey{
			user: t.string(p.Get("UserName")), key: Key{Active: status != "Inactive"}, from: g.from,
		})
		return
	case "AWS::IAM::UserToGroupAddition":
		t.out.members = append(t.out.members, membership{t.string(p.Get("GroupName")), t.strings(p.Get("Users")), g.from})
		return
	default:
		return
	}
	one := func(key string) []string {
		if v := p.Get(key); v != nil {
			return []string{t.string(v)}
		}
		return nil
	}
	g.users = append(t.strings(p.Get("Users")), one("UserName")...)
	g.roles = append(t.strings(p.Get("Roles")), one("RoleName")...)
	g.groups = append(t.strings(p.Get("Groups")), one("GroupName")...)
	t.out.given = append(t.out.given, g)
}

// onResources reads the policies of buckets, access points and keys.
func (t *template) onResources(res *resource) {
	p := res.properties
	var src policy.Source
	var ok bool
	switch res.kind {
	case "AWS::S3::BucketPolicy":
		t.bucketPolicy(res)
	case "AWS::S3::AccessPoint":
		if p.Get("Policy") == nil {
			return
		}
		if src, ok = t.document(p.Get("Policy"), policy.AccessPoint, res.id); ok {
			src.Attached = t.arn(res)
			if bucket := t.string(p.Get("Bucket")); !t.hasOpen(bucket) {
				src.Bucket = t.bucketARN(t.asTarget(bucket))
			}
		}
	case "AWS::KMS::Key", "AWS::KMS::ReplicaKey":
		if src, ok = t.document(p.Get("KeyPolicy"), policy.KeyPolicy, res.id); ok {
			src.Attached = t.arn(res)
		}
	}
	if ok {
		t.out.resources = append(t.out.resources, src)
	}
}

// bucketPolicy reads the policy of a bucket. Of one that only may be the bucket in
// question it is taken for both: as its own of that one.
func (t *template) bucketPolicy(res *resource) {
	bucket := t.string(res.properties.Get("Bucket"))
	unsure := ""
	switch target := t.targetName(); {
	case t.anyMaybe(bucket), t.hasOpen(bucket) && (target == "" || mayBe(bucket, target)):
		unsure, bucket = showSymbols(t.symbols, bucket), target
	case t.hasOpen(bucket):
		bucket, _ = t.names.other(t.file+"\x00bucket "+bucket, showSymbols(t.symbols, bucket), target)
	}
	src, ok := t.perhaps(t.must(res, "PolicyDocument"), policy.BucketPolicy, res.id, unsure)
	if ok {
		src.Attached = t.bucketARN(bucket)
		t.out.resources = append(t.out.resources, src)
	}
}

// document resolves and parses one policy document of the template. It is false
// where there is none.
func (t *template) document(n *policy.Node, kind policy.Kind, name string) (policy.Source, bool) {
	return t.perhaps(n, kind, name, "")
}

// perhaps is document for one that only may hang on the bucket in question; unsure
// names the one that it is the policy of.
func (t *template) perhaps(n *policy.Node, kind policy.Kind, name, unsure string) (policy.Source, bool) {
	resolved := t.resolve(n)
	if resolved == nil {
		return policy.Source{}, false
	}
	if resolved.Kind != policy.ObjectNode {
		t.gap(showSymbols(t.symbols, name), n.Pos)
		return policy.Source{}, false
	}
	c := t.close(resolved, kind, unsure)
	where := t.file
	if w, ok := t.textOf(n); ok {
		where += ": " + w.Address
	}
	doc, ok := t.parse(where, c.most, kind, name, c.open != nil)
	if !ok {
		return policy.Source{}, false
	}
	src := policy.Source{
		Kind: kind, Name: showSymbols(t.symbols, name), File: t.file, Raw: doc.JSON(), First: n.Pos, Document: doc,
	}
	src.SHA256 = digest(src.Raw)
	t.asWritten(&src, n)
	if c.open != nil {
		surely, ok := t.parse(where, c.surely, kind, name, true)
		if !ok {
			return policy.Source{}, false
		}
		src.Surely = &policy.Surely{Document: surely, Sample: c.sample, Blocking: c.blocking, Open: c.open, Perhaps: unsure}
	}
	return src, true
}

// parse reads a closed document, of which nothing may be left.
func (t *template) parse(file string, n *policy.Node, kind policy.Kind, name string, open bool) (*policy.Document, bool) {
	if list := n.Get("Statement"); open && list.Kind == policy.ArrayNode && len(list.Items) == 0 {
		doc := &policy.Document{Pos: n.Pos}
		if v := n.Get("Version"); v != nil {
			doc.Version = v.Text
		}
		return doc, true
	}
	doc, err := policy.ParseNode(file, n, policy.ParseOptions{Grammar: kind.Grammar(), Symbols: true})
	if err != nil {
		if !collect(&t.faults, err) {
			t.fault(n.Pos, WrongShape, "name", name, "want", "policy")
		}
		return nil, false
	}
	return doc, true
}

func (t *template) gap(what string, at policy.Position) {
	t.out.gaps = append(t.out.gaps, Gap{Reason: GapUnresolved, What: what, Source: -1, File: t.file, Pos: at})
}
