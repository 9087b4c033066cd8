package sources

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"buzon/agent/policy"
)

// loose holds the loose documents: those that belong to a principal, and those
// that hang on a resource or an organization and so bear on every subject.
type loose struct {
	own    []policy.Source
	shared []policy.Source
}

func (l *loader) readLoose() (*loose, error) {
	out := &loose{}
	var all policy.Errors
	for _, d := range l.sel.Documents {
		text, err := l.read(d.File)
		if err != nil {
			return nil, err
		}
		doc, err := policy.Parse(d.File, text, policy.ParseOptions{Grammar: d.Kind.Grammar()})
		if err != nil {
			if !collect(&all, err) {
				return nil, err
			}
			continue
		}
		src := policy.Source{
			Kind: d.Kind, Name: d.File, File: d.File, Raw: text, SHA256: digest(text),
			Level: d.Level, Document: doc,
		}
		switch d.Kind {
		case policy.BucketPolicy, policy.SCP, policy.RCP: // aim says which bucket
			out.shared = append(out.shared, src)
		default:
			out.own = append(out.own, src)
		}
	}
	if len(all) > 0 {
		return nil, all
	}
	return out, nil
}

// collect keeps the faults of a malformed document, so that those of all files
// are shown at once, and reports whether err was that.
func collect(all *policy.Errors, err error) bool {
	faults, ok := err.(policy.Errors) //nolint:errorlint // Parse returns it bare
	*all = append(*all, faults...)
	return ok
}

// stranger is the principal of loose documents where none was named. Its name
// and account are symbols: they equal themselves, and may be anybody's.
const (
	strangerAccount = policy.FirstSymbol
	strangerName    = policy.FirstSymbol + 1
)

func stranger(path string) (policy.Subject, policy.Symbols) {
	account, name := string(strangerAccount), string(strangerName)
	return policy.Subject{
			Type: policy.User, Partition: "aws", Account: account, Path: path, Name: name,
			ARN: "arn:aws:iam::" + account + ":user" + path + name,
		}, policy.Symbols{
			strangerAccount: {Name: "${Account}"},
			strangerName:    {Name: "${User}"},
		}
}

// subjects makes a subject for each principal to whom the documents belong and
// whom no other source holds; those that another does hold were given them by
// join.
func (o *loose) subjects(sel Selection, others []Subject) ([]Subject, error) {
	elsewhere := len(sel.Templates)+len(sel.Plans)+len(sel.Exports) > 0 || sel.Live()
	if len(o.own) == 0 && elsewhere {
		for _, arn := range sel.Principals {
			if !holds(others, arn) {
				return nil, &NobodyError{"principal", arn}
			}
		}
		return nil, nil
	}
	given := map[policy.Kind]bool{}
	for _, s := range append(append([]policy.Source(nil), o.own...), o.shared...) {
		given[s.Kind] = true
	}
	missing := func(s *Subject, t Topic, kinds ...policy.Kind) {
		for _, k := range kinds {
			if given[k] {
				return
			}
		}
		s.Assumptions = append(s.Assumptions, Assumption{What: t, Why: NotGiven})
	}
	finish := func(s *Subject) {
		if s.Set.Subject.Type == policy.User {
			missing(s, TopicUserPolicies, policy.UserInline)
			missing(s, TopicGroupPolicies, policy.GroupInline)
		} else {
			missing(s, TopicUserPolicies, policy.UserInline, policy.RoleInline)
		}
		missing(s, TopicBucketPolicy, policy.BucketPolicy)
		for _, t := range []Topic{TopicACL, TopicAccessPoint, TopicAccessGrants, TopicRoleTrust, TopicOtherResources, TopicVersioning} {
			missing(s, t)
		}
	}
	var out []Subject
	for _, arn := range sel.Principals {
		subject, ok := subjectOf(arn)
		if !ok || holds(others, arn) { // Check has refused what is no ARN
			continue
		}
		s := Subject{Set: policy.Set{Subject: subject, Sources: o.all(subject.Type)}}
		finish(&s)
		out = append(out, s)
	}
	if len(sel.Principals) == 0 {
		subject, symbols := stranger(sel.Path)
		s := Subject{Set: policy.Set{Subject: subject, Sources: o.all(subject.Type), Symbols: symbols}}
		missing(&s, TopicPrincipal)
		finish(&s)
		out = append(out, s)
	}
	return out, nil
}

func holds(subjects []Subject, arn string) bool {
	return slices.ContainsFunc(subjects, func(s Subject) bool { return means(arn, &s.Set.Subject) })
}

// all lists the documents as those of a principal of that type.
func (o *loose) all(t policy.Type) []policy.Source {
	out := make([]policy.Source, 0, len(o.own)+len(o.shared))
	for _, s := range o.own {
		if s.Kind == policy.UserInline && (t == policy.Role || t == policy.RoleSession) {
			s.Kind = policy.RoleInline
		}
		out = append(out, s)
	}
	return append(out, o.shared...)
}

// join adds the loose documents to subjects that another source found: the
// shared ones to all, a principal's own to those that were named.
func (o *loose) join(sel Selection, subjects []Subject) []Subject {
	for i := range subjects {
		s := &subjects[i]
		sources := o.shared
		if slices.ContainsFunc(sel.Principals, func(arn string) bool { return means(arn, &s.Set.Subject) }) {
			sources = o.all(s.Set.Subject.Type)
		}
		for _, src := range sources {
			s.Set.Sources = append(s.Set.Sources, src)
			if src.Kind == policy.BucketPolicy {
				s.Assumptions = without(s.Assumptions, TopicBucketPolicy)
			}
		}
	}
	return subjects
}

func without(list []Assumption, t Topic) []Assumption {
	out := list[:0:0]
	for _, a := range list {
		if a.What != t {
			out = append(out, a)
		}
	}
	return out
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Check refuses a selection whose parts don't fit.
func (s Selection) Check() error {
	for _, arn := range s.Principals {
		if _, ok := subjectOf(arn); !ok {
			return &UsageError{Code: UsagePrincipal, Got: arn}
		}
	}
	if err := s.checkNamed(); err != nil {
		return err
	}
	if s.BucketAccount != "" && !isAccount(s.BucketAccount) {
		return &UsageError{Code: UsageAccount, Got: s.BucketAccount}
	}
	return nil
}

func isAccount(id string) bool {
	if len(id) != 12 {
		return false
	}
	for _, c := range id {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
