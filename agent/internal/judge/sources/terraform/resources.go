package terraform

import (
	"slices"
	"strings"

	"buzon/agent/policy"
)

// A rule puts one resource of the provider aws into the form of CloudFormation.
type rule func(r planned, add func(kind string, members ...policy.Member))

func m(key string, value *policy.Node) policy.Member { return policy.Member{Key: key, Value: value} }

// rules are the resources that bear on rights, by their types in the provider
// aws. Of any other, a policy is looked for in its attributes.
var rules = map[string]rule{
	"aws_iam_user": func(r planned, add func(string, ...policy.Member)) {
		add("AWS::IAM::User", m("UserName", r.own("name")), m("Path", r.value("path")),
			m("PermissionsBoundary", r.value("permissions_boundary")), m("Tags", r.tags()), m("LoginProfile", r.profile()))
	},
	"aws_iam_role": func(r planned, add func(string, ...policy.Member)) {
		add("AWS::IAM::Role", m("RoleName", r.name()), m("Path", r.value("path")),
			m("PermissionsBoundary", r.value("permissions_boundary")), m("Tags", r.tags()),
			m("AssumeRolePolicyDocument", r.document("assume_role_policy")),
			m("ManagedPolicyArns", r.managed()), m("Policies", r.inline()))
	},
	"aws_iam_group": func(r planned, add func(string, ...policy.Member)) {
		add("AWS::IAM::Group", m("GroupName", r.own("name")), m("Path", r.value("path")))
	},
	"aws_iam_policy": func(r planned, add func(string, ...policy.Member)) {
		add("AWS::IAM::ManagedPolicy", m("ManagedPolicyName", r.name()), m("Path", r.value("path")),
			m("PolicyDocument", r.document("policy")))
	},
	"aws_iam_user_policy":  inlinePolicy("AWS::IAM::UserPolicy", "UserName", "user"),
	"aws_iam_role_policy":  inlinePolicy("AWS::IAM::RolePolicy", "RoleName", "role"),
	"aws_iam_group_policy": inlinePolicy("AWS::IAM::GroupPolicy", "GroupName", "group"),

	"aws_iam_user_policy_attachment":             attachment,
	"aws_iam_role_policy_attachment":             attachment,
	"aws_iam_group_policy_attachment":            attachment,
	"aws_iam_policy_attachment":                  attachment,
	"aws_iam_user_policy_attachments_exclusive":  attachment,
	"aws_iam_role_policy_attachments_exclusive":  attachment,
	"aws_iam_group_policy_attachments_exclusive": attachment,

	"aws_iam_group_membership": func(r planned, add func(string, ...policy.Member)) {
		add("AWS::IAM::UserToGroupAddition", m("GroupName", r.value("group")), m("Users", r.value("users")))
	},
	"aws_iam_user_group_membership": func(r planned, add func(string, ...policy.Member)) {
		groups := r.value("groups")
		if groups == nil {
			return
		}
		if groups.Kind != policy.ArrayNode {
			groups = list(groups)
		}
		for _, g := range groups.Items {
			add("AWS::IAM::UserToGroupAddition", m("GroupName", g), m("Users", list(r.value("user"))))
		}
	},
	"aws_iam_access_key": func(r planned, add func(string, ...policy.Member)) {
		add("AWS::IAM::AccessKey", m("UserName", r.value("user")), m("Status", r.value("status")))
	},
	"aws_iam_user_login_profile": nothing, // the user's own rule asks for it

	"aws_s3_bucket": bucketRule,
	"aws_s3_bucket_policy": func(r planned, add func(string, ...policy.Member)) {
		kind := "AWS::S3::BucketPolicy"
		if r.express() {
			kind = "AWS::S3Express::BucketPolicy"
		}
		add(kind, m("Bucket", r.value("bucket")), m("PolicyDocument", r.document("policy")))
	},
	"aws_s3_bucket_versioning":                           nothing, // these are asked for by the bucket
	"aws_s3_bucket_ownership_controls":                   nothing,
	"aws_s3_bucket_server_side_encryption_configuration": nothing,
	"aws_s3_bucket_acl":                                  nothing,
	"aws_s3_access_point": func(r planned, add func(string, ...policy.Member)) {
		add("AWS::S3::AccessPoint", m("Name", r.own("name")), m("Bucket", r.value("bucket")),
			m("Policy", r.policyOf("aws_s3control_access_point_policy", "access_point_arn", "arn")))
	},
	"aws_s3control_access_point_policy": nothing, // the access point's rule asks for it
	"aws_kms_key": func(r planned, add func(string, ...policy.Member)) {
		add("AWS::KMS::Key", m("KeyPolicy", r.policyOf("aws_kms_key_policy", "key_id", "key_id")))
	},
	"aws_kms_key_policy": nothing, // the key's rule asks for it
	"aws_lambda_permission": func(r planned, add func(string, ...policy.Member)) {
		add("AWS::Lambda::Permission", m("FunctionName", r.value("function_name")), m("Action", r.value("action")), m("Principal", r.value("principal")),
			m("PrincipalOrgID", r.value("principal_org_id")), m("SourceAccount", r.value("source_account")), m("SourceArn", r.value("source_arn")),
			m("FunctionUrlAuthType", r.value("function_url_auth_type")))
	},
	"aws_s3control_access_grant": func(r planned, add func(string, ...policy.Member)) {
		grantee := object()
		for _, b := range r.blocks("grantee") {
			with(grantee, m("GranteeType", b.value("grantee_type")), m("GranteeIdentifier", b.value("grantee_identifier")))
		}
		add("AWS::S3::AccessGrant", m("Grantee", grantee), m("Permission", r.value("permission")), m("AccessGrantsLocationId", r.value("access_grants_location_id")))
	},
	"aws_iam_openid_connect_provider": func(r planned, add func(string, ...policy.Member)) {
		add("AWS::IAM::OIDCProvider", m("Url", r.value("url")))
	},
	"aws_iam_saml_provider": func(r planned, add func(string, ...policy.Member)) {
		add("AWS::IAM::SAMLProvider", m("Name", r.value("name")))
	},
}

func nothing(planned, func(string, ...policy.Member)) {}

func inlinePolicy(kind, holder, attribute string) rule {
	return func(r planned, add func(string, ...policy.Member)) {
		add(kind, m(holder, r.value(attribute)), m("PolicyName", r.name()), m("PolicyDocument", r.document("policy")))
	}
}

// attachment hangs managed policies on whomever it names: one or many, by the
// attributes that its type has.
func attachment(r planned, add func(string, ...policy.Member)) {
	arns := r.value("policy_arns")
	if arns == nil {
		arns = list(r.value("policy_arn"))
	}
	if arns.Kind != policy.ArrayNode {
		arns = list(arns)
	}
	holders := func(one, many string) *policy.Node {
		if v := r.value(many); v != nil {
			return v
		}
		v := r.value(one)
		if v == nil {
			v = r.value(one + "_name")
		}
		if v == nil {
			return nil
		}
		return list(v)
	}
	for _, arn := range arns.Items {
		add(Attachment, m("PolicyArn", arn),
			m("Users", holders("user", "users")), m("Roles", holders("role", "roles")), m("Groups", holders("group", "groups")))
	}
}

// name is a name that may be made of a prefix and what the provider adds to it.
func (r planned) name() *policy.Node {
	if v := r.own("name"); v != nil {
		return v
	}
	if r.has("name_prefix") {
		return call(KnownAfterApply, text(r.address+".name", nowhere))
	}
	return nil
}

// tags are the tags of a principal, those of the provider's settings included.
func (r planned) tags() *policy.Node {
	v := r.value("tags_all")
	if v == nil {
		v = r.value("tags")
	}
	if v == nil || v.Kind != policy.ObjectNode {
		return nil
	}
	if v.Get(KnownAfterApply) != nil {
		return v
	}
	out := list()
	for _, tag := range v.Members {
		out.Items = append(out.Items, object(m("Key", text(tag.Key, nowhere)), m("Value", tag.Value)))
	}
	return out
}

// inline are the blocks inline_policy of a role. A block without a name says only
// that there are to be none.
func (r planned) inline() *policy.Node {
	if r.open("inline_policy") {
		if !r.configured("inline_policy") {
			return nil // the provider will read back what other resources write
		}
		return r.own("inline_policy")
	}
	out := list()
	for _, b := range r.blocks("inline_policy") {
		if !r.configured("inline_policy") && r.speaksOf("aws_iam_role_policy", func(v map[string]any) bool {
			return v["role"] == r.values["name"] && v["name"] == b.values["name"]
		}) {
			continue // read back from a resource of its own, which may change it
		}
		if document := b.document("policy"); document != nil {
			out.Items = append(out.Items, object(m("PolicyName", b.name()), m("PolicyDocument", document)))
		}
	}
	return out
}

// managed are the managed policies of a role, but for those that the provider read
// back from attachments of their own, which may go.
func (r planned) managed() *policy.Node {
	configured := r.configured("managed_policy_arns")
	if r.open("managed_policy_arns") && !configured {
		return nil
	}
	v := r.own("managed_policy_arns")
	if v == nil || v.Kind != policy.ArrayNode || configured {
		return v
	}
	v.Items = slices.DeleteFunc(v.Items, func(arn *policy.Node) bool {
		return r.speaksOf("aws_iam_role_policy_attachment", func(a map[string]any) bool {
			return a["role"] == r.values["name"] && a["policy_arn"] == arn.Text
		})
	})
	return v
}

// express reports whether the attribute bucket names a directory bucket, whose policies
// speak of calls of S3 Express.
func (r planned) express() bool {
	if name, _ := r.values["bucket"].(string); strings.HasSuffix(name, "--x-s3") {
		return true
	}
	if !r.open("bucket") {
		return false
	}
	address, _, ok := r.refers("bucket")
	return ok && r.plan.values[address] != nil && r.plan.values[address].Type == "aws_s3_directory_bucket"
}

// profile is the password of a user, where the plan gives it one.
func (r planned) profile() *policy.Node {
	name, _ := r.plan.values[r.address].AttributeValues["name"].(string)
	for _, other := range r.others("aws_iam_user_login_profile") {
		if user, _ := other.values["user"].(string); user == name && !other.open("user") || r.referredBy(other, "user") {
			return object(m("Password", text("known to the plan alone", nowhere)))
		}
	}
	return nil
}

// others are the resources of a type, in their order.
func (r planned) others(kind string) []planned {
	var out []planned
	for _, address := range r.byKind[kind] {
		out = append(out, r.resource(address))
	}
	return out
}

// referredBy reports whether another resource's attribute, known after apply only,
// will be this one's.
func (r planned) referredBy(other planned, attribute string) bool {
	if !other.open(attribute) {
		return false
	}
	address, _, ok := other.refers(attribute)
	return ok && address == r.address
}

// beside finds the resource of a type that belongs to this one: its attribute
// holds this one's, or will.
func (r planned) beside(kind, attribute, own string) (planned, bool) {
	mine, _ := r.values[own].(string)
	for _, other := range r.others(kind) {
		if its, _ := other.values[attribute].(string); mine != "" && its == mine || r.referredBy(other, attribute) {
			return other, true
		}
	}
	return planned{}, false
}

// policyOf is the policy of a resource: its own attribute, or that of a resource
// beside it, which wins, for the provider writes it last.
func (r planned) policyOf(kind, link, own string) *policy.Node {
	if other, ok := r.beside(kind, link, own); ok {
		return other.document("policy")
	}
	if !r.configured("policy") && (r.open("policy") || r.speaksOf(kind, func(v map[string]any) bool {
		return !isEmpty(r.values[own]) && v[link] == r.values[own]
	})) {
		return nil // the default, which the provider reads back; or what goes
	}
	return r.document("policy")
}

// configured reports whether the configuration says anything of an attribute. An
// attribute that the provider computes is unknown without it. Without a
// configuration it may be either, and counts.
func (r planned) configured(attribute string) bool {
	res, _, _ := r.configuration()
	return res == nil || res.Expressions[attribute] != nil
}

func bucketRule(r planned, add func(string, ...policy.Member)) {
	versioning := list()
	for _, b := range r.blocks("versioning") {
		if b.values["enabled"] == true {
			versioning.Items = append(versioning.Items, text("Enabled", nowhere))
		}
	}
	if other, ok := r.beside("aws_s3_bucket_versioning", "bucket", "bucket"); ok {
		versioning.Items = nil
		for _, b := range other.blocks("versioning_configuration") {
			if v := b.value("status"); v != nil {
				versioning.Items = append(versioning.Items, v)
			}
		}
	}
	var status *policy.Node
	if len(versioning.Items) > 0 {
		status = object(m("Status", versioning.Items[0]))
	}
	add("AWS::S3::Bucket", m("BucketName", r.own("bucket")), m("VersioningConfiguration", status),
		m("OwnershipControls", r.ownership()), m("AccessControl", r.accessControl()), m("BucketEncryption", r.encryption()))
	// An attribute of the bucket itself, of older configurations; the provider also
	// reads back there what aws_s3_bucket_policy has written.
	if document := r.policyOf("aws_s3_bucket_policy", "bucket", "bucket"); document != nil {
		if _, beside := r.beside("aws_s3_bucket_policy", "bucket", "bucket"); !beside {
			add("AWS::S3::BucketPolicy", m("Bucket", call("Ref", text(r.address, nowhere))), m("PolicyDocument", document))
		}
	}
}

func (r planned) ownership() *policy.Node {
	other, ok := r.beside("aws_s3_bucket_ownership_controls", "bucket", "bucket")
	if !ok {
		return nil
	}
	for _, b := range other.blocks("rule") {
		return object(m("Rules", list(object(m("ObjectOwnership", b.value("object_ownership"))))))
	}
	return nil
}

func (r planned) accessControl() *policy.Node {
	if other, ok := r.beside("aws_s3_bucket_acl", "bucket", "bucket"); ok {
		if v := other.value("acl"); v != nil {
			return v
		}
		return text("of aws_s3_bucket_acl", nowhere)
	}
	if r.configured("acl") || r.configured("grant") {
		return r.value("acl")
	}
	return nil
}

func (r planned) encryption() *policy.Node {
	other, ok := r.beside("aws_s3_bucket_server_side_encryption_configuration", "bucket", "bucket")
	if !ok {
		return nil
	}
	rules := list()
	for _, rule := range other.blocks("rule") {
		for _, b := range rule.blocks("apply_server_side_encryption_by_default") {
			rules.Items = append(rules.Items, object(m("ServerSideEncryptionByDefault",
				object(m("SSEAlgorithm", b.value("sse_algorithm")), m("KMSMasterKeyID", b.value("kms_master_key_id"))))))
		}
	}
	return object(m("ServerSideEncryptionConfiguration", rules))
}

// translate makes the template of everything that stands after the plan.
func (p *plan) translate() {
	resources := object()
	for _, address := range sorted(p.values) {
		r := p.resource(address)
		if !strings.HasPrefix(r.kind, "aws_") && !strings.HasPrefix(r.kind, "awscc_") {
			continue
		}
		p.arnOf(address)
		n := 0
		add := func(kind string, members ...policy.Member) {
			id := address
			if n++; n > 1 {
				id += " " + kind
			}
			for slices.ContainsFunc(resources.Members, func(m policy.Member) bool { return m.Key == id }) {
				id += "'"
			}
			with(resources, m(id, object(m("Type", text(kind, nowhere)), m("Properties", object(members...)))))
		}
		if put, ok := rules[r.kind]; ok {
			put(r, add)
			continue
		}
		p.other(r, add)
	}
	p.out.Template = object(m("Resources", resources))
	p.deferred()
}
