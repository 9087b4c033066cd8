package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Identity is what each uploader is in IAM.
type Identity string

// The kinds of identities.
const (
	IdentityUser          Identity = "user"           // an IAM user with an access key
	IdentityRole          Identity = "role"           // a role for an EC2 instance, with its instance profile
	IdentityRolesAnywhere Identity = "roles-anywhere" // a role for a machine with a certificate
)

// Attach says where the uploaders' policy hangs.
type Attach string

// The places of the uploaders' policy.
const (
	AttachUser  Attach = "user"  // on each user
	AttachGroup Attach = "group" // once, on one group of all users
)

// Encryption is how the bucket encrypts what it stores.
type Encryption string

// The kinds of encryption at rest.
const (
	EncryptionS3  Encryption = "s3"  // keys that S3 keeps
	EncryptionKMS Encryption = "kms" // a key of this stack
)

// LockMode is the mode of the bucket's default retention.
type LockMode string

// The modes of Object Lock; LockNone leaves it off.
const (
	LockNone       LockMode = "none"
	LockGovernance LockMode = "governance"
	LockCompliance LockMode = "compliance"
)

// Settings is everything that can be chosen about the stack. ParseSettings
// makes one that is checked; the zero Settings is not usable.
type Settings struct {
	StackName       string
	BucketName      string // "" lets CloudFormation make one
	AccountRegional bool   // BucketName is the front of a name that only this account can hold
	UploadPrefix    string // ends in "/"
	Path            string // the IAM path of uploaders, "/…/"
	Uploaders       []string
	Identity        Identity
	TrustAnchor     string // roles-anywhere: ARN of a trust anchor
	Attach          Attach
	Encryption      Encryption
	Versioning      bool
	AppendOnly      bool
	ObjectLock      LockMode
	ObjectLockDays  int
	ExpireDays      int // of current versions; 0 keeps them
	NoncurrentDays  int // of noncurrent versions; 0 keeps them
	CloudTrail      bool
	EventBridge     bool
	Readers         []string // ARNs or patterns of the only principals that may read or delete; none: the account decides
	GuardRevision   int      // a number in the guard: another one makes CloudFormation write it again
	FederatedUsers  bool     // lets sessions of GetFederationToken reach the bucket
	Auditors        []string // ARNs that may assume the auditor's role; none: no role
	Tags            map[string]string
	Retain          bool // bucket and guard outlive the stack
	Protect         bool // CloudFormation's termination protection
	Shards          int  // stacks that share the uploaders; 0: all in the one stack
}

// A key is one setting as it is written in cdk.json or after -c.
type key struct {
	name string
	read func(*Settings, value) error
}

// keys is the one table of settings; docs/en/deploying.md lists the same.
var keys = []key{
	{"stackName", func(s *Settings, v value) error {
		return v.match(&s.StackName, `[A-Za-z][A-Za-z0-9-]{0,99}`, "letters, digits and hyphens, a letter first")
	}},
	{"bucketName", func(s *Settings, v value) error { return v.text(&s.BucketName) }},
	{"bucketNamespace", func(s *Settings, v value) error {
		kind := "global"
		if err := oneOf(v, &kind, "global", "account-regional"); err != nil {
			return err
		}
		s.AccountRegional = kind == "account-regional"
		return nil
	}},
	{"uploadPrefix", func(s *Settings, v value) error {
		return v.match(&s.UploadPrefix, `([A-Za-z0-9_.=@+-]+/)+`, `ASCII letters, digits and _.=@+- in segments that each end with "/", such as "uploads/"`)
	}},
	{"path", func(s *Settings, v value) error {
		return v.match(&s.Path, `/([A-Za-z0-9_.=@+-]+/)+`, `an IAM path with a slash at both ends, such as "/buzon/"; "/" would make every user of the account an uploader`)
	}},
	{"uploaders", func(s *Settings, v value) error { return v.list(&s.Uploaders) }},
	{"identity", func(s *Settings, v value) error {
		return oneOf(v, &s.Identity, IdentityUser, IdentityRole, IdentityRolesAnywhere)
	}},
	{"trustAnchor", func(s *Settings, v value) error {
		return v.match(&s.TrustAnchor, `arn:[a-z-]+:rolesanywhere:[a-z0-9-]+:[0-9]{12}:trust-anchor/[A-Za-z0-9-]+`, "the ARN of an IAM Roles Anywhere trust anchor")
	}},
	{"attach", func(s *Settings, v value) error { return oneOf(v, &s.Attach, AttachUser, AttachGroup) }},
	{"encryption", func(s *Settings, v value) error { return oneOf(v, &s.Encryption, EncryptionS3, EncryptionKMS) }},
	{"versioning", func(s *Settings, v value) error { return v.bool(&s.Versioning) }},
	{"appendOnly", func(s *Settings, v value) error { return v.bool(&s.AppendOnly) }},
	{"objectLock", func(s *Settings, v value) error {
		return oneOf(v, &s.ObjectLock, LockNone, LockGovernance, LockCompliance)
	}},
	{"objectLockDays", func(s *Settings, v value) error { return v.int(&s.ObjectLockDays, 1, 36500) }},
	{"expireDays", func(s *Settings, v value) error { return v.int(&s.ExpireDays, 0, 36500) }},
	{"noncurrentDays", func(s *Settings, v value) error { return v.int(&s.NoncurrentDays, 0, 36500) }},
	{"cloudTrail", func(s *Settings, v value) error { return v.bool(&s.CloudTrail) }},
	{"eventBridge", func(s *Settings, v value) error { return v.bool(&s.EventBridge) }},
	{"readers", func(s *Settings, v value) error { return v.list(&s.Readers) }},
	{"federatedUsers", func(s *Settings, v value) error {
		kind := "deny"
		if err := oneOf(v, &kind, "deny", "allow"); err != nil {
			return err
		}
		s.FederatedUsers = kind == "allow"
		return nil
	}},
	{"guardRevision", func(s *Settings, v value) error { return v.int(&s.GuardRevision, 0, 1_000_000) }},
	{"auditors", func(s *Settings, v value) error { return v.list(&s.Auditors) }},
	{"tags", func(s *Settings, v value) error { return v.pairs(&s.Tags) }},
	{"removalPolicy", func(s *Settings, v value) error {
		kind := "retain"
		if err := oneOf(v, &kind, "retain", "destroy"); err != nil {
			return err
		}
		s.Retain = kind == "retain"
		return nil
	}},
	{"terminationProtection", func(s *Settings, v value) error { return v.bool(&s.Protect) }},
	{"shards", func(s *Settings, v value) error { return v.int(&s.Shards, 0, 64) }},
}

// cdkOwn are the keys that the CDK command line itself may write into a context
// and that look like a setting.
var cdkOwn = []string{"cli-telemetry", "acknowledged-issue-numbers"}

// ParseSettings reads the settings from a CDK context and checks them. Keys
// that belong to the CDK itself (feature flags, cached look-ups: they hold ":"
// or "@") are left alone; any other key that is not a setting is an error. The
// error joins everything found, each with the key's name.
func ParseSettings(context map[string]any) (Settings, error) {
	s := Settings{
		StackName: "Buzon", UploadPrefix: "uploads/", Path: "/buzon/",
		Identity: IdentityUser, Attach: AttachUser, Encryption: EncryptionS3,
		Versioning: true, AppendOnly: true, ObjectLock: LockNone, Retain: true, Protect: true,
	}
	known := map[string]key{}
	for _, k := range keys {
		known[k.name] = k
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(context)) {
		k, ok := known[name]
		switch {
		case ok:
			if err := k.read(&s, value{context[name]}); err != nil {
				errs = append(errs, fault(name, "%w", err))
			}
		case !strings.ContainsAny(name, ":@") && !slices.Contains(cdkOwn, name):
			errs = append(errs, fault(name, "there is no such setting%s", meant(name)))
		}
	}
	if len(errs) == 0 {
		errs = s.check()
	}
	return s, errors.Join(errs...)
}

func fault(key, format string, args ...any) error {
	return fmt.Errorf("setting %q: %w", key, fmt.Errorf(format, args...))
}

// meant names the setting that a mistyped one differs from in at most two
// letters, or only in case.
func meant(name string) string {
	for _, k := range keys {
		if distance(strings.ToLower(k.name), strings.ToLower(name)) <= 2 {
			return fmt.Sprintf("; %q was meant?", k.name)
		}
	}
	return ""
}

// distance is how many letters must be changed, added or left out to make one
// text the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// value is one value of the context: as JSON has it, or the text after -c.
type value struct{ any }

func (v value) text(to *string) error {
	s, ok := v.any.(string)
	if !ok {
		return fmt.Errorf("must be a text, not %s", v)
	}
	*to = s
	return nil
}

func (v value) match(to *string, pattern, want string) error {
	if err := v.text(to); err != nil {
		return err
	}
	if !regexp.MustCompile(`^(?:` + pattern + `)$`).MatchString(*to) {
		return fmt.Errorf("%q must be %s", *to, want)
	}
	return nil
}

func (v value) bool(to *bool) error {
	switch b := v.any.(type) {
	case bool:
		*to = b
		return nil
	case string:
		if b == "true" || b == "false" {
			*to = b == "true"
			return nil
		}
	}
	return fmt.Errorf("must be true or false, not %s", v)
}

func (v value) int(to *int, least, most int) error {
	var n int
	var err error
	switch x := v.any.(type) {
	case float64:
		n = int(x)
		if float64(n) != x {
			err = errors.New("not whole")
		}
	case string:
		n, err = strconv.Atoi(x)
	default:
		err = errors.New("not a number")
	}
	if err != nil || n < least || n > most {
		return fmt.Errorf("must be a whole number from %d to %d, not %s", least, most, v)
	}
	*to = n
	return nil
}

func (v value) list(to *[]string) error {
	switch l := v.any.(type) {
	case string:
		for one := range strings.SplitSeq(l, ",") {
			if one = strings.TrimSpace(one); one != "" {
				*to = append(*to, one)
			}
		}
		return nil
	case []any:
		for i, one := range l {
			s, ok := one.(string)
			if !ok {
				return fmt.Errorf("entry %d must be a text, not %s", i+1, value{one})
			}
			*to = append(*to, s)
		}
		return nil
	}
	return fmt.Errorf("must be a list of texts (after -c: separated by commas), not %s", v)
}

func (v value) pairs(to *map[string]string) error {
	*to = map[string]string{}
	switch m := v.any.(type) {
	case string:
		for one := range strings.SplitSeq(m, ",") {
			name, text, ok := strings.Cut(one, "=")
			if !ok || name == "" {
				return fmt.Errorf("%q must be NAME=VALUE", one)
			}
			(*to)[name] = text
		}
		return nil
	case map[string]any:
		for name, one := range m {
			s, ok := one.(string)
			if !ok {
				return fmt.Errorf("%q must be a text, not %s", name, value{one})
			}
			(*to)[name] = s
		}
		return nil
	}
	return fmt.Errorf("must be an object of texts, not %s", v)
}

func (v value) String() string {
	b, err := json.Marshal(v.any)
	return cmp.Or(string(b), fmt.Sprint(err))
}

func oneOf[T ~string](v value, to *T, allowed ...T) error {
	var s string
	if err := v.text(&s); err != nil {
		return err
	}
	if !slices.Contains(allowed, T(s)) {
		names := make([]string, len(allowed))
		for i, a := range allowed {
			names[i] = string(a)
		}
		return fmt.Errorf("%q must be one of %s", s, strings.Join(names, ", "))
	}
	*to = T(s)
	return nil
}
