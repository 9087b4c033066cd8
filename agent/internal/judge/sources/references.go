package sources

import (
	"strings"

	"buzon/agent/policy"
)

// ref is the value of {"Ref": id}; nil for AWS::NoValue.
func (r *resolver) ref(id string, at policy.Position) *policy.Node {
	if strings.HasPrefix(id, "AWS::") {
		return r.pseudo(id, at)
	}
	if p := r.parameters[id]; p != nil {
		if p.value != nil {
			return p.node(at)
		}
		if value, ok := r.is[p.symbol]; ok {
			return text(value, at)
		}
		if len(p.allowed) > 0 {
			r.stacks.ask(question{text: p.symbol, values: p.allowed, closed: true, about: []string{"${" + id + "}"}}, r.asking)
		}
		return text(p.symbol, at)
	}
	res, ok := r.resources[id]
	if !ok {
		return r.dangling(id, "", at)
	}
	switch res.kind {
	case "AWS::IAM::User", "AWS::IAM::Role", "AWS::IAM::Group", "AWS::S3::Bucket", "AWS::S3::AccessPoint",
		"AWS::IAM::InstanceProfile", "AWS::KMS::Key", "AWS::KMS::ReplicaKey":
		return text(r.name(res), at)
	case "AWS::IAM::ManagedPolicy", "AWS::IAM::OIDCProvider", "AWS::IAM::SAMLProvider":
		return text(r.arn(res), at)
	}
	return text(r.symbol("resource "+id, "${"+id+"}", true), at)
}

// pseudo is the value of a pseudo parameter (CloudFormation Template Reference,
// "Pseudo parameters reference").
func (r *resolver) pseudo(id string, at policy.Position) *policy.Node {
	switch id {
	case "AWS::NoValue":
		return nil
	case "AWS::Partition":
		if s := r.symbol("AWS::Partition", "${AWS::Partition}", false); r.asking && r.region == "" && r.is[r.ours("AWS::Region")] == "" {
			if value, ok := r.is[s]; ok {
				return text(value, at)
			}
			return text(s, at)
		}
		return text(r.partition(), at)
	case "AWS::Region":
		return text(r.theRegion(), at)
	case "AWS::URLSuffix":
		if r.partition() == "aws-cn" {
			return text("amazonaws.com.cn", at)
		}
		return text("amazonaws.com", at)
	case "AWS::AccountId":
		return text(r.account(), at)
	case "AWS::StackName":
		return text(r.ours(id), at)
	case "AWS::StackId", "AWS::NotificationARNs":
		return text(r.symbol(id, "${"+id+"}", true), at)
	}
	return r.dangling(id, "", at)
}

// ours is the symbol of a name that is one for the whole stack.
func (r *resolver) ours(id string) string { return r.symbol(id, "${"+id+"}", false) }

func (r *resolver) theRegion() string {
	if r.region != "" {
		return r.region
	}
	s := r.ours("AWS::Region")
	if value, ok := r.is[s]; ok {
		return value
	}
	return s
}

func (r *resolver) attribute(id, attribute string, at policy.Position) *policy.Node {
	res, ok := r.resources[id]
	if !ok {
		return r.dangling(id, attribute, at)
	}
	if arn := r.arn(res); attribute == "Arn" && arn != "" {
		return text(arn, at)
	}
	if attribute == "PolicyArn" && res.kind == "AWS::IAM::ManagedPolicy" {
		return text(r.arn(res), at)
	}
	return text(r.symbol("attribute "+id+"."+attribute, "${"+id+"."+showSymbols(r.symbols, attribute)+"}", true), at)
}

// dangling is a reference to nothing: a fault, unless a condition took away what
// it refers to, which CloudFormation refuses to deploy, or a macro may put it in.
func (r *resolver) dangling(id, attribute string, at policy.Position) *policy.Node {
	if !r.removed[id] && !r.written {
		r.fault(at, UnknownReference, "name", id)
	}
	return text(r.symbol("nothing "+id+"."+attribute, "${"+id+"}", true), at)
}

// path is the IAM path of a user, role, group or policy.
func (r *resolver) path(res *resource) string {
	given := res.properties.Get("Path")
	if given == nil {
		return "/"
	}
	if r.pending[res.id+" path"] {
		r.fault(res.pos, Circular, "name", res.id)
		return "/"
	}
	r.pending[res.id+" path"] = true
	defer delete(r.pending, res.id+" path")
	if p := r.string(given); strings.HasPrefix(p, "/") && strings.HasSuffix(p, "/") && !r.hasOpen(p) {
		return p
	}
	return "/" + r.symbol("path "+res.id, "${"+res.id+".Path}", false) + "/"
}

// arn of the resources whose ARN's shape is known; "" of any other.
func (r *resolver) arn(res *resource) string {
	if res.known != "" {
		return res.known
	}
	iam := func(kind string) string {
		return "arn:" + r.partition() + ":iam::" + r.account() + ":" + kind + r.path(res) + r.name(res)
	}
	region := r.theRegion()
	switch res.kind {
	case "AWS::IAM::User":
		return iam("user")
	case "AWS::IAM::Role":
		return iam("role")
	case "AWS::IAM::Group":
		return iam("group")
	case "AWS::IAM::ManagedPolicy":
		return iam("policy")
	case "AWS::IAM::InstanceProfile":
		return iam("instance-profile")
	case "AWS::IAM::SAMLProvider":
		return "arn:" + r.partition() + ":iam::" + r.account() + ":saml-provider/" + r.name(res)
	case "AWS::IAM::OIDCProvider":
		// Its name is its address without the scheme (IAM API Reference,
		// "CreateOpenIDConnectProvider").
		_, host, ok := strings.Cut(r.string(res.properties.Get("Url")), "://")
		if !ok || r.hasOpen(host) {
			host = r.symbol("resource "+res.id, "${"+res.id+"}", false)
		}
		return "arn:" + r.partition() + ":iam::" + r.account() + ":oidc-provider/" + strings.TrimSuffix(host, "/")
	case "AWS::S3::Bucket":
		return "arn:" + r.partition() + ":s3:::" + r.name(res)
	case "AWS::S3::AccessPoint":
		return "arn:" + r.partition() + ":s3:" + region + ":" + r.account() + ":accesspoint/" + r.name(res)
	case "AWS::KMS::Key", "AWS::KMS::ReplicaKey":
		return "arn:" + r.partition() + ":kms:" + region + ":" + r.account() + ":key/" + r.name(res)
	}
	return ""
}

// condition is the truth of a named condition under the assignment.
func (r *resolver) condition(name string, at policy.Position) bool {
	expr := r.conditions.Get(name)
	if expr == nil && r.written {
		return r.equal(r.symbol("condition "+name, "${"+name+"}", true), "true")
	}
	if expr == nil {
		r.fault(at, UnknownReference, "name", name)
		return false
	}
	key := "condition " + name
	if r.pending[key] {
		r.fault(at, Circular, "name", name)
		return false
	}
	r.pending[key] = true
	defer delete(r.pending, key)
	return r.truth(expr, name)
}
