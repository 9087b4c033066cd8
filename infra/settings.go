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

	"buzon/infra/mailbox"
)

// Settings is everything that can be chosen about the stack: the mailbox's props,
// and what the app adds. ParseSettings makes one that is checked and filled in;
// the zero Settings is not usable.
type Settings struct {
	mailbox.Props
	StackName string
	Uploaders []string
	Tags      map[string]string
	// The document of PermissionsBoundary, for the audit.
	BoundaryFile string
	Confirm      []string // what a deploy may lose: "bucket", "prefix", "path", "leaving:NAME"
	Protect      bool     // CloudFormation's termination protection
	Shards       int      // stacks that share the uploaders; 0: all in the one stack
}

// A key is one setting as it is written in cdk.json or after -c.
type key struct {
	name string
	read func(*Settings, value) error
}

// keys is the one table of settings; docs/en/deploying.md lists the same. What a
// value may be the mailbox checks, but for what only the app knows.
var keys = []key{
	{"stackName", func(s *Settings, v value) error {
		return v.match(&s.StackName, `[A-Za-z][A-Za-z0-9-]{0,99}`, "1 to 100 letters, digits and hyphens, a letter first")
	}},
	{"bucketName", func(s *Settings, v value) error { return some(v, &s.BucketName) }},
	{"bucketNamespace", func(s *Settings, v value) error {
		return v.either(&s.AccountRegional, "account-regional", "global")
	}},
	{"uploadPrefix", func(s *Settings, v value) error { return some(v, &s.UploadPrefix) }},
	{"path", func(s *Settings, v value) error { return some(v, &s.Path) }},
	{"uploaders", func(s *Settings, v value) error { return v.list(&s.Uploaders) }},
	{"identity", func(s *Settings, v value) error { return some(v, &s.Identity) }},
	{"trustAnchor", func(s *Settings, v value) error { return some(v, &s.TrustAnchor) }},
	{"permissionsBoundary", func(s *Settings, v value) error { return some(v, &s.PermissionsBoundary) }},
	{"permissionsBoundaryFile", func(s *Settings, v value) error { return some(v, &s.BoundaryFile) }},
	{"attach", func(s *Settings, v value) error { return some(v, &s.Attach) }},
	{"encryption", func(s *Settings, v value) error { return some(v, &s.Encryption) }},
	{"kmsKeyArn", func(s *Settings, v value) error { return some(v, &s.KMSKeyARN) }},
	{"versioning", func(s *Settings, v value) error { return v.choice(&s.Versioning) }},
	{"appendOnly", func(s *Settings, v value) error { return v.choice(&s.AppendOnly) }},
	{"objectLock", func(s *Settings, v value) error { return some(v, &s.ObjectLock) }},
	{"objectLockDays", func(s *Settings, v value) error { return v.int(&s.ObjectLockDays, 1, 36500) }},
	{"expireDays", func(s *Settings, v value) error { return v.int(&s.ExpireDays, 0, 36500) }},
	{"noncurrentDays", func(s *Settings, v value) error { return v.int(&s.NoncurrentDays, 0, 36500) }},
	{"transitions", func(s *Settings, v value) error { return v.transitions(&s.Transitions) }},
	{"abortDays", func(s *Settings, v value) error { return v.int(&s.AbortDays, 1, 36500) }},
	{"storageClasses", func(s *Settings, v value) error { return v.filled(&s.StorageClasses) }},
	{"cloudTrail", func(s *Settings, v value) error { return v.bool(&s.CloudTrail) }},
	{"alarms", func(s *Settings, v value) error { return v.alarms(&s.Alarms) }},
	{"trailDays", func(s *Settings, v value) error { return v.int(&s.TrailDays, 1, 36500) }},
	{"eventBridge", func(s *Settings, v value) error { return v.bool(&s.EventBridge) }},
	{"readers", func(s *Settings, v value) error { return v.filled(&s.Readers) }},
	{"grantReaders", func(s *Settings, v value) error { return v.bool(&s.GrantReaders) }},
	{"readerRole", func(s *Settings, v value) error { return v.filled(&s.ReaderRole) }},
	{"deployers", func(s *Settings, v value) error { return v.filled(&s.Deployers) }},
	{"sourceIps", func(s *Settings, v value) error { return v.filled(&s.SourceIPs) }},
	{"sourceVpces", func(s *Settings, v value) error { return v.filled(&s.SourceVPCEs) }},
	{"federatedUsers", func(s *Settings, v value) error { return v.either(&s.FederatedUsers, "allow", "deny") }},
	{"guardRevision", func(s *Settings, v value) error { return v.int(&s.GuardRevision, 0, 1_000_000) }},
	{"auditors", func(s *Settings, v value) error { return v.filled(&s.Auditors) }},
	{"auditorScope", func(s *Settings, v value) error { return v.either(&s.AuditAccount, "account", "bucket") }},
	{"tags", func(s *Settings, v value) error { return v.pairs(&s.Tags) }},
	{"removalPolicy", func(s *Settings, v value) error {
		destroy := false
		err := v.either(&destroy, "destroy", "retain")
		retain := !destroy
		s.Retain = &retain
		return err
	}},
	{"terminationProtection", func(s *Settings, v value) error { return v.bool(&s.Protect) }},
	{"confirm", func(s *Settings, v value) error { return v.list(&s.Confirm) }},
	{"shards", func(s *Settings, v value) error { return v.int(&s.Shards, 0, 64) }},
}

// cdkOwn are the keys that the CDK command line itself may write into a context
// and that look like a setting.
var cdkOwn = []string{"cli-telemetry", "acknowledged-issue-numbers"}

// cdkBoundary is how a CDK app puts one boundary on everything.
const cdkBoundary = "@aws-cdk/core:permissionsBoundary"

// ParseSettings reads the settings from a CDK context and checks them. Keys
// that belong to the CDK itself (feature flags, cached look-ups: they hold ":"
// or "@") are left alone; any other key that is not a setting is an error. The
// error joins everything found, each with the key's name.
func ParseSettings(context map[string]any) (Settings, error) {
	s := Settings{StackName: "Buzon", Protect: true}
	known := map[string]key{}
	for _, k := range keys {
		known[k.name] = k
	}
	var errs []error
	unread := false
	for _, name := range slices.Sorted(maps.Keys(context)) {
		k, ok := known[name]
		switch {
		case ok:
			if err := k.read(&s, value{context[name]}); err != nil {
				unread = true
				errs = append(errs, fault(name, "%w", err))
			}
		case name == cdkBoundary:
			errs = append(errs, fault(name, "would replace the boundary of every uploader: use permissionsBoundary"))
		case !strings.ContainsAny(name, ":@") && !slices.Contains(cdkOwn, name):
			errs = append(errs, fault(name, "there is no such setting%s", meant(name)))
		}
	}
	s.Props = s.Props.WithDefaults()
	if !unread { // else it would complain of what wasn't read
		errs = append(errs, s.check()...)
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
	return ": docs/en/deploying.md lists them"
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
	*to = []string{} // not nil: it was said
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

// filled reads a list that isn't empty: an empty one would mean everybody, or
// everything, where somebody perhaps meant nobody.
func (v value) filled(to *[]string) error {
	if err := v.list(to); err != nil {
		return err
	}
	if len(*to) == 0 {
		return errors.New("is empty: leave it out to get the default")
	}
	return nil
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
			if _, twice := (*to)[name]; twice {
				return fmt.Errorf("%q is there twice", name)
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

// transitions reads a list of {"days": 30, "class": "STANDARD_IA"}, or after -c
// 30=STANDARD_IA,90=GLACIER.
func (v value) transitions(to *[]mailbox.Transition) error {
	const want = `must be a list such as [{"days": 30, "class": "STANDARD_IA"}], or 30=STANDARD_IA after -c, not %s`
	var all []any
	switch l := v.any.(type) {
	case string:
		for one := range strings.SplitSeq(l, ",") {
			days, class, ok := strings.Cut(strings.TrimSpace(one), "=")
			if !ok {
				return fmt.Errorf(want, v)
			}
			all = append(all, map[string]any{"days": days, "class": class})
		}
	case []any:
		all = l
	}
	for _, one := range all {
		m, ok := one.(map[string]any)
		if !ok || len(m) != 2 {
			return fmt.Errorf(want, v)
		}
		var move mailbox.Transition
		if err := (value{m["days"]}).int(&move.Days, 0, 36500); err != nil {
			return fmt.Errorf("days %w", err)
		}
		if err := (value{m["class"]}).text(&move.Class); err != nil {
			return fmt.Errorf("class %w", err)
		}
		*to = append(*to, move)
	}
	if len(*to) == 0 {
		return fmt.Errorf(want, v)
	}
	return nil
}

// alarms reads {"topic": "arn:…", "silentAfter": 24}, either of which may be left
// out, or after -c topic=arn:…,silentAfter=24.
func (v value) alarms(to **mailbox.Alarms) error {
	const want = `must be an object such as {"topic": "", "silentAfter": 24}, or silentAfter=24 after -c, not %s`
	m, ok := v.any.(map[string]any)
	if text, written := v.any.(string); written {
		m = map[string]any{}
		for one := range strings.SplitSeq(text, ",") {
			name, of, _ := strings.Cut(strings.TrimSpace(one), "=")
			m[name] = of
		}
	} else if !ok {
		return fmt.Errorf(want, v)
	}
	*to = &mailbox.Alarms{}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		var err error
		switch name {
		case "topic":
			err = value{m[name]}.text(&(*to).Topic)
		case "silentAfter":
			err = value{m[name]}.int(&(*to).SilentAfter, 0, 168)
		default:
			return fmt.Errorf(want, v)
		}
		if err != nil {
			return fmt.Errorf("%s %w", name, err)
		}
	}
	return nil
}

func (v value) String() string {
	b, err := json.Marshal(v.any)
	return cmp.Or(string(b), fmt.Sprint(err))
}

// choice reads a switch that has a default of its own.
func (v value) choice(to **bool) error {
	*to = new(bool)
	return v.bool(*to)
}

// either reads a switch that is written as one of two words.
func (v value) either(to *bool, yes, no string) error {
	var s string
	if err := v.text(&s); err != nil {
		return err
	}
	if s != yes && s != no {
		return fmt.Errorf("%q must be one of %s, %s", s, no, yes)
	}
	*to = s == yes
	return nil
}

// some reads a text that isn't empty: empty would be the default, unsaid.
func some[T ~string](v value, to *T) error {
	s := ""
	if err := v.text(&s); err != nil {
		return err
	}
	if s == "" {
		return errors.New("is empty: leave it out to get the default")
	}
	*to = T(s)
	return nil
}
