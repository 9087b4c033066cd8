package decide

import (
	"strings"

	"buzon/agent/policy"
)

// request is a Request with what follows from it.
type request struct {
	Request
	action        string // in lower case
	account       string // owner of the resource, "" where it isn't known
	foreign       bool   // by its ARN it is another account's
	point         bool   // through an access point
	bucketARN     string // the bucket that it reaches, "" where there is none or it isn't known
	bucketAccount string
	underlying    string // the resource as the bucket's policy sees it
	fixed         map[string][]string
	resourceOwner []string
}

// request works out who owns the resource and which bucket is behind it.
func (e *Evaluator) request(req Request) *request {
	r := &request{Request: req, action: strings.ToLower(req.Action), account: req.ResourceAccount, fixed: e.fixed}
	parts := policy.Segments(req.Resource)
	if len(parts) == 6 && parts[0] == "arn" {
		if parts[2] == "s3" && parts[3] == "" && parts[4] == "" {
			name, _, _ := strings.Cut(parts[5], "/")
			r.bucketARN = strings.TrimSuffix(req.Resource, parts[5]) + name
			r.underlying = req.Resource
			if r.account == "" {
				r.account = e.owner(r.bucketARN)
			}
			r.bucketAccount = r.account
		} else if r.account == "" && policy.IsAccount(parts[4]) {
			r.account = parts[4]
			r.foreign = e.subject.Account != "" && r.account != e.subject.Account
		}
		if rest, ok := strings.CutPrefix(parts[5], "accesspoint/"); ok && parts[2] == "s3" && parts[4] != "" {
			r.point, r.underlying = true, req.Bucket
			r.bucketARN, _, _ = strings.Cut(req.Bucket, "/")
			if _, key, ok := strings.Cut(rest, "/object/"); ok && req.Bucket != "" && r.bucketARN == req.Bucket {
				r.underlying = req.Bucket + "/" + key
			}
			r.bucketAccount = e.owner(r.bucketARN)
			if r.bucketAccount == "" {
				r.bucketAccount = r.account
			}
		}
	}
	if r.account != "" {
		r.resourceOwner = []string{r.account}
	}
	return r
}

// owner is the account of a bucket: known of the bucket in question only.
func (e *Evaluator) owner(bucket string) string {
	if e.bucket == "" || bucket != e.bucket {
		return ""
	}
	if e.bucketAccount != "" {
		return e.bucketAccount
	}
	return e.subject.Account
}

// values are the values of a condition key (in lower case); none where it is
// absent.
func (r *request) values(key string) []string {
	if v, given := r.Context[key]; given {
		return v
	}
	switch key {
	case "aws:resourceaccount":
		return r.resourceOwner
	case "s3:resourceaccount":
		if strings.HasPrefix(r.action, "s3:") {
			return r.resourceOwner
		}
	case "s3:dataaccesspointaccount":
		if r.point {
			return r.resourceOwner
		}
	case "s3:dataaccesspointarn":
		if r.point {
			arn, _, _ := strings.Cut(r.Resource, "/object/")
			return []string{arn}
		}
	}
	return r.fixed[key]
}

// bucket is the resource as a bucket policy sees it, "" where the policy is
// another bucket's.
func (r *request) bucket(src *source) string {
	if r.bucketARN == "" || src.attached != "" && r.bucketARN != src.attached {
		return ""
	}
	return r.underlying
}

// under is the resource where it is the one given or lies below it.
func (r *request) under(attached string) string {
	if rest, ok := strings.CutPrefix(r.Resource, attached); ok && (rest == "" || rest[0] == '/') {
		return r.Resource
	}
	return ""
}

// fixedKeys are the condition keys that follow from the principal (IAM User
// Guide, "AWS global condition context keys"). aws:username exists for users
// alone; aws:PrincipalArn of a session is its role's ARN.
func fixedKeys(s *policy.Subject) map[string][]string {
	keys := map[string][]string{
		"aws:principalarn":          {principalARN(s)},
		"aws:principalisawsservice": {"false"},
	}
	set := func(key, value string) {
		if value != "" {
			keys[key] = []string{value}
		}
	}
	set("aws:principalaccount", s.Account)
	for tag, value := range s.Tags {
		keys["aws:principaltag/"+strings.ToLower(tag)] = []string{value}
	}
	for tag, value := range s.Pinned {
		keys["aws:principaltag/"+strings.ToLower(tag)] = []string{value}
	}
	switch s.Type {
	case policy.User:
		set("aws:principaltype", "User")
		set("aws:username", s.Name)
		set("aws:userid", s.UniqueID)
	case policy.Role, policy.RoleSession:
		set("aws:principaltype", "AssumedRole")
		if _, session, ok := sessionOf(s.ARN); ok && s.UniqueID != "" {
			set("aws:userid", s.UniqueID+":"+session)
		}
	case policy.FederatedUser:
		set("aws:principaltype", "FederatedUser")
		if s.Account != "" {
			set("aws:userid", s.Account+":"+s.Name)
		}
	case policy.Root:
		set("aws:principaltype", "Account")
		set("aws:userid", s.Account)
	}
	return keys
}

// principalARN is the value of aws:PrincipalArn.
func principalARN(s *policy.Subject) string {
	if role, _, ok := sessionOf(s.ARN); ok {
		path := s.Path
		if path == "" {
			path = "/"
		}
		return "arn:" + s.Partition + ":iam::" + s.Account + ":role" + path + role
	}
	return s.ARN
}

// sessionOf takes the ARN of a role's session apart.
func sessionOf(arn string) (role, session string, ok bool) {
	parts := policy.Segments(arn)
	if len(parts) != 6 || parts[2] != "sts" {
		return "", "", false
	}
	rest, ok := strings.CutPrefix(parts[5], "assumed-role/")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/")
}
