package sources

import (
	"net/url"
	"slices"
	"strings"

	"buzon/agent/policy"
)

// readExport reads what `aws iam get-account-authorization-details` printed.
// Its documents are objects, or percent-encoded texts as the API gives them.
func (l *loader) readExport(file string) (*account, error) {
	raw, err := l.read(file)
	if err != nil {
		return nil, err
	}
	root, err := policy.ReadJSON(file, raw)
	if err != nil {
		return nil, err
	}
	x := &export{file: file, out: newAccount(file)}
	lists := 0
	for _, key := range []string{"UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"} {
		if list := root.Get(key); list != nil && list.Kind == policy.ArrayNode {
			lists++
		}
	}
	if lists == 0 {
		return nil, policy.Errors{fault(file, root.Pos, NotAnExport)}
	}
	x.each(root, "Policies", x.managed)
	x.each(root, "GroupDetailList", x.group)
	x.each(root, "RoleDetailList", func(n *policy.Node) { x.principal(n, policy.Role) })
	x.each(root, "UserDetailList", func(n *policy.Node) { x.principal(n, policy.User) })
	if len(x.faults) > 0 {
		return nil, sorted(x.faults)
	}
	x.out.topics = append(x.out.topics,
		Assumption{TopicBucketPolicy, NotGiven}, Assumption{TopicACL, NotGiven}, Assumption{TopicAccessPoint, NotGiven},
		Assumption{TopicAccessGrants, NotGiven}, Assumption{TopicOtherResources, NotGiven}, Assumption{TopicVersioning, NotGiven})
	x.partial(l, root)
	for _, p := range x.out.principals {
		x.out.id = p.subject.Account
	}
	return x.out, nil
}

// partial says of an export that holds a part of the account what it lacks. The
// AWS CLI prints a NextToken with --max-items, the API a Marker, and with
// --filter the lists that were filtered out are empty: every account has roles,
// those of services among them (AWS CLI User Guide, "Pagination").
func (x *export) partial(l *loader, root *policy.Node) {
	for _, key := range []string{"IsTruncated", "NextToken", "Marker"} {
		if t := root.Get(key); t != nil && t.Kind != policy.NullNode && t.Text != "" && t.Text != "false" {
			x.out.gaps = append(x.out.gaps, Gap{Reason: GapTruncated, What: x.file, Source: -1, File: x.file, Pos: t.Pos})
			x.untold(TopicRoleTrust)
			return
		}
	}
	filled := func(key string) bool {
		list := root.Get(key)
		return list != nil && len(list.Items) > 0
	}
	if !filled("RoleDetailList") {
		x.untold(TopicRoleTrust)
	}
	l.whole[policy.User] = l.whole[policy.User] || root.Get("UserDetailList") != nil && (filled("UserDetailList") || filled("RoleDetailList"))
	l.whole[policy.Role] = l.whole[policy.Role] || filled("RoleDetailList")
}

// untold notes that the export doesn't tell of a topic, once.
func (x *export) untold(t Topic) {
	if a := (Assumption{t, NotGiven}); !slices.Contains(x.out.topics, a) {
		x.out.topics = append(x.out.topics, a)
	}
}

// named reports whether the selection names the principal outright.
func (l *loader) named(p *principal) bool {
	return slices.ContainsFunc(l.sel.Principals, func(arn string) bool { return means(arn, &p.subject) })
}

type export struct {
	file   string
	out    *account
	faults policy.Errors
}

func (x *export) each(root *policy.Node, key string, do func(*policy.Node)) {
	list := root.Get(key)
	if list == nil {
		return
	}
	if list.Kind != policy.ArrayNode {
		x.faults = append(x.faults, fault(x.file, list.Pos, WrongShape, "name", key, "want", "array"))
		return
	}
	for _, n := range list.Items {
		if n.Kind != policy.ObjectNode {
			x.faults = append(x.faults, fault(x.file, n.Pos, WrongShape, "name", key, "want", "object"))
			continue
		}
		do(n)
	}
}

// text is a member that must be a string, where it is there at all.
func (x *export) text(n *policy.Node, key string) string {
	v := n.Get(key)
	if v == nil || v.Kind == policy.NullNode {
		return ""
	}
	if v.Kind != policy.StringNode {
		x.faults = append(x.faults, fault(x.file, v.Pos, WrongShape, "name", key, "want", "string"))
		return ""
	}
	return v.Text
}

func (x *export) must(n *policy.Node, key string) string {
	s := x.text(n, key)
	if s == "" {
		x.faults = append(x.faults, fault(x.file, n.Pos, policy.MissingElement, "element", key))
	}
	return s
}

func (x *export) managed(n *policy.Node) {
	arn := x.must(n, "Arn")
	if arn == "" {
		return
	}
	list := n.Get("PolicyVersionList")
	if list == nil {
		return // attach says that its document is unknown
	}
	version, ok := x.defaultVersion(n, list)
	if !ok {
		x.out.managed[arn] = nil
		x.out.unread[arn] = []Gap{{Reason: GapContradicts, What: arn, Source: -1, File: x.file, Pos: n.Pos}}
		return
	}
	if version == nil {
		return
	}
	if src, ok := x.document(version.Get("Document"), policy.UserManaged, x.text(n, "PolicyName")); ok {
		src.ARN, src.Version = arn, x.text(version, "VersionId")
		x.out.managed[arn] = &src
	}
}

// defaultVersion finds the version that is in force: the policy names it, and it
// names itself. It is false where they, or two of them, disagree, and nil where
// it isn't in the list.
func (x *export) defaultVersion(n, list *policy.Node) (*policy.Node, bool) {
	named := x.text(n, "DefaultVersionId")
	var found *policy.Node
	for _, v := range list.Items {
		is := v.Get("IsDefaultVersion")
		itself := is != nil && is.Text == "true"
		byName := named != "" && x.text(v, "VersionId") == named
		if !itself && !byName {
			continue
		}
		if found != nil || is != nil && named != "" && itself != byName {
			return nil, false
		}
		found = v
	}
	return found, true
}

func (x *export) group(n *policy.Node) {
	g := &holder{}
	name := x.must(n, "GroupName")
	if n.Get("GroupPolicyList") == nil && n.Get("AttachedManagedPolicies") == nil {
		g.gaps = append(g.gaps, Gap{Reason: GapUnknownGroup, What: name, Source: -1, File: x.file, Pos: n.Pos})
	}
	x.holder(n, g, "GroupPolicyList", name)
	x.out.groups[name] = g
}

func (x *export) holder(n *policy.Node, h *holder, inline, owner string) {
	x.each(n, inline, func(p *policy.Node) {
		if src, ok := x.document(p.Get("PolicyDocument"), policy.UserInline, x.text(p, "PolicyName")); ok {
			h.inline = append(h.inline, src)
		} else {
			h.gaps = append(h.gaps, Gap{Reason: GapUnknownPolicy, What: owner + "/" + x.text(p, "PolicyName"), Source: -1, File: x.file, Pos: p.Pos})
		}
	})
	x.each(n, "AttachedManagedPolicies", func(p *policy.Node) {
		if arn := x.must(p, "PolicyArn"); arn != "" {
			h.attached = append(h.attached, arn)
		}
	})
}

func (x *export) principal(n *policy.Node, t policy.Type) {
	arn := x.must(n, "Arn")
	subject, ok := subjectOf(arn)
	if arn != "" && (!ok || subject.Type != t) {
		x.faults = append(x.faults, fault(x.file, n.Get("Arn").Pos, policy.BadARN, "got", arn))
		return
	}
	subject.UniqueID = x.text(n, "UserId") + x.text(n, "RoleId")
	if tags := n.Get("Tags"); tags != nil {
		subject.Tags, subject.TagsKnown = map[string]string{}, true
		x.each(n, "Tags", func(tag *policy.Node) { subject.Tags[x.text(tag, "Key")] = x.text(tag, "Value") })
	} else {
		subject.TagsKnown = true
	}
	p := &principal{subject: subject}
	own := map[policy.Type]string{policy.User: "UserPolicyList", policy.Role: "RolePolicyList"}[t]
	if n.Get(own) == nil && n.Get("AttachedManagedPolicies") == nil {
		p.topics = append(p.topics, Assumption{TopicUserPolicies, NotGiven}) // AWS prints at least one, if only an empty one
	}
	if t == policy.User && n.Get("GroupList") == nil {
		p.topics = append(p.topics, Assumption{TopicGroupPolicies, NotGiven})
	}
	if t == policy.User {
		x.holder(n, &p.holder, "UserPolicyList", arn)
		if groups := n.Get("GroupList"); groups != nil {
			for _, g := range groups.Items {
				p.groups = append(p.groups, g.Text)
			}
		}
	} else {
		x.holder(n, &p.holder, "RolePolicyList", arn)
		if src, ok := x.document(n.Get("AssumeRolePolicyDocument"), policy.Trust, subject.Name); ok {
			src.Attached = arn
			x.out.trusts = append(x.out.trusts, src)
		} else {
			p.gaps = append(p.gaps, Gap{Reason: GapUnknownPolicy, What: arn, Source: -1, File: x.file, Pos: n.Pos})
			x.untold(TopicRoleTrust)
		}
	}
	if b := n.Get("PermissionsBoundary"); b != nil && b.Kind == policy.ObjectNode {
		p.boundary = x.must(b, "PermissionsBoundaryArn")
	}
	x.out.principals = append(x.out.principals, p)
}

// document reads one document of the export, which AWS has accepted.
func (x *export) document(n *policy.Node, kind policy.Kind, name string) (policy.Source, bool) {
	if n == nil || n.Kind == policy.NullNode {
		return policy.Source{}, false
	}
	src := policy.Source{Kind: kind, Name: name, File: x.file, First: n.Pos}
	opts := policy.ParseOptions{Grammar: kind.Grammar(), Lenient: true}
	var err error
	switch n.Kind {
	case policy.ObjectNode:
		src.Document, err = policy.ParseNode(x.file, n, opts)
	case policy.StringNode:
		plain, problem := decodeDocument(n.Text)
		if problem != nil {
			x.faults = append(x.faults, fault(x.file, n.Pos, BadEncoding, "name", name))
			return policy.Source{}, false
		}
		// The text has lines of its own; only its beginning is a place in the file.
		src.Raw, src.File = plain, ""
		src.Document, err = policy.Parse(x.file, plain, opts)
		if faults, ok := err.(policy.Errors); ok { //nolint:errorlint // Parse returns it bare
			for _, e := range faults {
				e.Pos = n.Pos
			}
		}
	case policy.ArrayNode, policy.NumberNode, policy.BoolNode, policy.NullNode:
		x.faults = append(x.faults, fault(x.file, n.Pos, WrongShape, "name", name, "want", "object"))
		return policy.Source{}, false
	}
	if err != nil {
		collect(&x.faults, err)
		return policy.Source{}, false
	}
	if src.Raw == nil {
		src.Raw = src.Document.JSON()
	}
	src.SHA256 = digest(src.Raw)
	return src, true
}

// decodeDocument undoes the percent-encoding of the IAM API (RFC 3986), where
// there is any.
func decodeDocument(s string) ([]byte, error) {
	if strings.HasPrefix(strings.TrimSpace(s), "{") {
		return []byte(s), nil
	}
	plain, err := url.PathUnescape(s)
	return []byte(plain), err
}
