package main

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
)

// Limits that AWS sets, as the User Guides say ("Bucket naming rules"; "IAM and
// AWS STS quotas"; "CloudFormation quotas": 500 resources in a stack).
const (
	longestName    = 64 // of a user and of a role
	longestPath    = 512
	longestBucket  = 63
	longestTagKey  = 128
	longestTag     = 256
	mostTags       = 45    // of 50, with room for what CloudFormation adds itself
	longestReaders = 8_000 // of the 20 KB of a bucket policy
	stackResources = 500
	ownResources   = 60 // kept for everything in the stack that is not an uploader
)

var (
	uploaderName = regexp.MustCompile(`^[A-Za-z0-9_.=@+-]+$`)
	bucketName   = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	bucketPrefix = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,34}[a-z0-9]$`)
	principalARN = regexp.MustCompile(`^arn:[a-z*-]+:iam::([0-9]{12}|\*):(user|role)/[A-Za-z0-9_+=,.@/*?-]+$`)
	exactARN     = regexp.MustCompile(`^arn:[a-z-]+:iam::[0-9]{12}:(user|role)/[A-Za-z0-9_+=,.@/-]+$`)
)

// resourcesEach is how many resources an uploader has in the template.
func (s *Settings) resourcesEach() int {
	if s.Identity == IdentityUser {
		return 1 // the user, its policy inside
	}
	return 2 // the role, and its instance profile or its Roles Anywhere profile
}

// PerStack is how many uploaders one stack takes.
func (s *Settings) PerStack() int { return (stackResources - ownResources) / s.resourcesEach() }

// check looks at what the settings say together, and at each whose rule is more
// than a pattern. It gives every fault.
func (s *Settings) check() []error {
	var errs []error
	bad := func(key, format string, args ...any) { errs = append(errs, fault(key, format, args...)) }

	s.checkBucket(bad)
	s.checkUploaders(bad)
	for _, p := range []struct{ key, text string }{{"path", s.Path}, {"uploadPrefix", s.UploadPrefix}} {
		if slices.ContainsFunc(strings.Split(p.text, "/"), func(part string) bool { return part == "." || part == ".." }) {
			bad(p.key, `%q holds a segment that is "." or ".."`, p.text)
		}
		if len(p.text) > longestPath {
			bad(p.key, "is longer than %d characters", longestPath)
		}
	}
	if strings.HasPrefix(auditorPath, s.Path) {
		bad("path", "%q would make the auditor under %s an uploader", s.Path, auditorPath)
	}
	if s.Attach == AttachGroup && s.Identity != IdentityUser {
		bad("attach", `"group" needs identity "user": roles are in no group`)
	}
	if s.Identity == IdentityRolesAnywhere && s.TrustAnchor == "" {
		bad("trustAnchor", `is needed with identity "roles-anywhere"`)
	}
	if s.Identity != IdentityRolesAnywhere && s.TrustAnchor != "" {
		bad("trustAnchor", `has a meaning only with identity "roles-anywhere"`)
	}
	if (s.ObjectLock == LockNone) != (s.ObjectLockDays == 0) {
		bad("objectLockDays", `goes with objectLock "governance" or "compliance", and these need it`)
	}
	if s.ObjectLock != LockNone && !s.Versioning {
		bad("versioning", "must be true with objectLock: S3 locks versions")
	}
	if s.NoncurrentDays > 0 && !s.Versioning {
		bad("noncurrentDays", "has no effect without versioning")
	}
	if s.ObjectLock != LockNone && s.ExpireDays > 0 && s.ExpireDays < s.ObjectLockDays {
		bad("expireDays", "is shorter than objectLockDays: the versions would stay locked after they expired")
	}
	if !s.Retain && s.ObjectLock == LockCompliance {
		bad("removalPolicy", `"destroy" can't work with objectLock "compliance"`)
	}
	s.checkReaders(bad)
	for _, arn := range s.Auditors {
		if !exactARN.MatchString(arn) {
			bad("auditors", "%q is not the ARN of a user or role", arn)
		}
	}
	s.checkTags(bad)
	return errs
}

func (s *Settings) checkReaders(bad func(string, string, ...any)) {
	length := 0
	for _, arn := range s.Readers {
		length += len(arn)
		switch {
		case strings.Contains(arn, ":assumed-role/"):
			bad("readers", "%q would never match: AWS compares the ARN of the role, not of its session", arn)
		case !principalARN.MatchString(arn):
			bad("readers", "%q is not the ARN, or a pattern of ARNs, of users or roles", arn)
		case strings.Contains(arn, ":user"+s.Path) || strings.Contains(arn, ":role"+s.Path):
			bad("readers", "%q is an uploader, whom the guard lets read nothing", arn)
		}
	}
	if length > longestReaders {
		bad("readers", "are %d characters together, and %d fit into the bucket's policy: use patterns", length, longestReaders)
	}
}

func (s *Settings) checkBucket(bad func(string, string, ...any)) {
	name := s.BucketName
	switch {
	case name == "" && s.AccountRegional:
		bad("bucketNamespace", `"account-regional" needs bucketName, the front of the name`)
	case name == "":
	case s.AccountRegional:
		// The name will be NAME-ACCOUNT-REGION-an.
		if !bucketPrefix.MatchString(name) {
			bad("bucketName", "%q must be 2 to 36 of a-z, 0-9 and - where the account and Region are added to it", name)
		}
	case !bucketName.MatchString(name) || len(name) > longestBucket:
		bad("bucketName", "%q must be 3 to 63 of a-z, 0-9, - and ., a letter or digit at both ends", name)
	case strings.Contains(name, "."):
		bad("bucketName", "%q holds a dot: TLS certificates of S3 don't match such names", name)
	case net.ParseIP(name) != nil || strings.HasPrefix(name, "xn--") || strings.HasPrefix(name, "sthree-") ||
		strings.HasPrefix(name, "amzn-s3-demo-") || strings.HasSuffix(name, "-s3alias") || strings.HasSuffix(name, "--ol-s3") ||
		strings.HasSuffix(name, "--x-s3") || strings.HasSuffix(name, "--table-s3") || strings.HasSuffix(name, "-an"):
		bad("bucketName", "%q is a form that S3 keeps for itself", name)
	}
}

func (s *Settings) checkUploaders(bad func(string, string, ...any)) {
	seen := map[string]string{}
	for _, name := range s.Uploaders {
		switch before, twice := seen[strings.ToLower(name)]; {
		case !uploaderName.MatchString(name):
			bad("uploaders", "%q must be letters, digits and _.=@+-: it becomes a name in IAM and a part of every key", name)
		case name == "." || name == "..":
			bad("uploaders", "%q can't be a part of a key", name)
		case len(name) > longestName:
			bad("uploaders", "%q is longer than %d characters", name, longestName)
		case twice && before == name:
			bad("uploaders", "%q is there twice", name)
		case twice:
			bad("uploaders", "%q and %q differ only in case, which IAM doesn't tell apart", before, name)
		}
		seen[strings.ToLower(name)] = name
	}
	if len(s.Uploaders) == 0 {
		bad("uploaders", "is empty: name at least one, such as -c uploaders=vm-01")
	}
	most := s.PerStack()
	if s.Shards == 0 && len(s.Uploaders) > most {
		bad("shards", "%d uploaders don't fit in one stack (%d do): set shards to %d, before the first deploy, and use `cdk deploy --all`",
			len(s.Uploaders), most, len(s.Uploaders)*2/most+1)
	}
	if s.Shards > 0 && s.BucketName == "" {
		bad("bucketName", "is needed with shards: each stack must know the bucket without asking another")
	}
	if s.Shards > 0 && s.Encryption == EncryptionKMS {
		bad("encryption", `"kms" can't go with shards: the key's ARN is known only inside the stack that makes it`)
	}
	fullest := 0
	for _, names := range s.split() {
		fullest = max(fullest, len(names))
	}
	if fullest > most {
		bad("shards", "one of the %d stacks would get %d uploaders, and %d fit: more shards are needed", s.Shards, fullest, most)
	}
}

func (s *Settings) checkTags(bad func(string, string, ...any)) {
	if len(s.Tags) > mostTags {
		bad("tags", "holds %d, and %d are possible", len(s.Tags), mostTags)
	}
	for name, text := range s.Tags {
		switch {
		case strings.HasPrefix(strings.ToLower(name), "aws:"):
			bad("tags", "%q: AWS keeps names that start with aws: for itself", name)
		case name == uploaderTag:
			bad("tags", "%q is the tag that the guard goes by", name)
		case len(name) == 0 || len(name) > longestTagKey || len(text) > longestTag:
			bad("tags", "%s is empty or too long (%d for the name, %d for the value)", fmt.Sprintf("%.40q", name), longestTagKey, longestTag)
		}
	}
}
