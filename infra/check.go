package main

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"buzon/infra/mailbox"
)

// Limits that AWS sets ("CloudFormation quotas": 500 resources in a stack; "Tag
// naming limits and requirements").
const (
	longestTagKey  = 128
	longestTag     = 256
	mostTags       = 45 // of 50, with room for what CloudFormation adds itself
	stackResources = 500
	ownResources   = 60 // kept for everything in the stack that is not an uploader
)

// tagText is what IAM takes in tags (IAM API Reference, Tag), stricter than S3.
var tagText = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

// resourcesEach is how many resources an uploader has in the template.
func (s *Settings) resourcesEach() int {
	if s.Identity == mailbox.IdentityUser {
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
	for _, f := range append(s.Props.Faults(), s.Props.NameFaults(s.Uploaders)...) {
		errs = append(errs, fault(f.Prop, "%w", errors.New(f.Text)))
	}
	bad := func(key, format string, args ...any) { errs = append(errs, fault(key, format, args...)) }
	if s.Uploaders == nil {
		bad("uploaders", "is not set: name the VMs in cdk.json, or [] for nobody")
	}
	if (s.PermissionsBoundary == "") != (s.BoundaryFile == "") {
		bad("permissionsBoundaryFile", "goes with permissionsBoundary: the audit judges both, and must read its document (JSON)")
	}
	s.checkShards(bad)
	for _, c := range s.Confirm {
		if name, leaving := strings.CutPrefix(c, "leaving:"); !slices.Contains([]string{"bucket", "prefix", "path"}, c) && (!leaving || name == "") {
			bad("confirm", `%q must be "bucket", "prefix", "path" or "leaving:NAME"`, c)
		}
	}
	s.checkTags(bad)
	return errs
}

func (s *Settings) checkShards(bad func(string, string, ...any)) {
	most := s.PerStack()
	if s.Shards == 0 && len(s.Uploaders) > most {
		bad("shards", "%d uploaders don't fit in one stack (%d do): set shards to %d, before the first deploy, and use `cdk deploy --all`",
			len(s.Uploaders), most, len(s.Uploaders)*2/most+1)
	}
	if s.Shards > 0 && s.BucketName == "" {
		bad("bucketName", "is needed with shards: each stack must know the bucket without asking another")
	}
	if s.Shards > 0 && s.Encryption == mailbox.EncryptionKMS && s.KMSKeyARN == "" {
		bad("kmsKeyArn", `is needed with shards and encryption "kms": a key that the stack makes is known only inside it`)
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
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.Tags)) {
		text := s.Tags[name]
		before, twice := seen[strings.ToLower(name)]
		seen[strings.ToLower(name)] = name
		switch {
		case twice:
			bad("tags", "%q and %q differ only in case, which IAM doesn't tell apart", before, name)
		case strings.HasPrefix(strings.ToLower(name), "aws:"):
			bad("tags", "%q: AWS keeps names that start with aws: for itself", name)
		case strings.EqualFold(name, mailbox.UploaderTag):
			bad("tags", "%q is the tag that the guard goes by", name)
		case !tagText.MatchString(name) || !tagText.MatchString(text):
			bad("tags", "%.40q=%.40q: IAM takes letters, digits, spaces and _.:/=+-@", name, text)
		case name == "" || utf8.RuneCountInString(name) > longestTagKey || utf8.RuneCountInString(text) > longestTag:
			bad("tags", "%s is empty or too long (%d for the name, %d for the value)", fmt.Sprintf("%.40q", name), longestTagKey, longestTag)
		}
	}
}
