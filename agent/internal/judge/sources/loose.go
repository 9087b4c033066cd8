package sources

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"buzon/agent/policy"
)

// loose holds the loose documents: those that belong to a principal, those that
// hang on a resource or an organization and so bear on every subject, and managed
// policies, which bear on whoever holds them.
type loose struct {
	own     []policy.Source
	shared  []policy.Source
	managed []policy.Source
	notes   []Note
	used    map[string]bool // the managed policies that somebody holds
}

func (l *loader) readLoose() (*loose, error) {
	out := &loose{used: map[string]bool{}}
	var all policy.Errors
	for _, d := range l.sel.Documents {
		text, err := l.read(d.File)
		if err != nil {
			return nil, err
		}
		src, w, err := looseDocument(d.File, text, d.Kind.Grammar())
		if err != nil {
			if !collect(&all, err) {
				return nil, err
			}
			continue
		}
		src.Kind, src.Level, src.Attached = d.Kind, d.Level, d.On
		if w != nil {
			out.notes = append(out.notes, w.notes(d.File)...)
			src.Version = w.version
			if d.Kind == policy.Trust && src.Attached == "" {
				src.Attached = w.role
			}
		}
		switch {
		case d.Kind == policy.UserManaged:
			src.ARN, src.Attached = d.On, ""
			out.managed = append(out.managed, src)
		case !ofPrincipal(d.Kind):
			if err := hang(&src); err != nil {
				return nil, err
			}
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

func (w *wrapped) notes(file string) []Note {
	out := []Note{{What: NoteUnwrapped, Source: -1, Name: file}}
	if w.old {
		out = append(out, Note{What: NoteOldVersion, Source: -1, Name: file + ": " + w.version})
	}
	return out
}

// ofPrincipal tells the kinds of loose documents that belong to a principal.
func ofPrincipal(k policy.Kind) bool {
	return k.Grammar() == policy.Identity
}

// ofTarget is the bucket behind an access point that was given by itself: the one
// in question, as aim will say.
const ofTarget = "?"

// hang finds out on what a policy of a resource hangs where that wasn't said: of
// an access point and a key it may stand in the policy itself. A bucket's is that
// of the bucket in question, an unnamed key the bucket's, and a trust policy the
// judged role's: aim says which those are.
func hang(src *policy.Source) error {
	switch {
	case src.Kind == policy.AccessPoint:
		src.Bucket = ofTarget
		if src.Attached == "" {
			src.Attached = onlyOne(src.Document, accessPointOf)
		}
		if src.Attached == "" {
			return &UsageError{Code: UsageNeedsARN, Got: src.Name}
		}
	case src.Kind == policy.KeyPolicy && src.Attached == "":
		src.Attached = onlyOne(src.Document, func(arn string) string {
			if p, ok := parseARN(arn); ok && p.service == "kms" && strings.HasPrefix(p.resource, "key/") {
				return arn
			}
			return ""
		})
	}
	return nil
}

// accessPointOf is the access point of which a resource is, or "".
func accessPointOf(arn string) string {
	p, ok := parseARN(arn)
	name, isPoint := strings.CutPrefix(p.resource, "accesspoint/")
	if !ok || !isPoint {
		return ""
	}
	name, _, _ = strings.Cut(name, "/")
	p.resource = "accesspoint/" + name
	return p.String()
}

// onlyOne is the one thing that a policy's resources are of; "" where they are of
// several, or of none that can be told.
func onlyOne(doc *policy.Document, of func(arn string) string) string {
	found := ""
	for _, st := range doc.Statements {
		for _, r := range st.Resources {
			one := of(r.Value)
			if one == "" || strings.ContainsAny(one, "*?") || found != "" && one != found {
				return ""
			}
			found = one
		}
	}
	return found
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
func (o *loose) subjects(sel Selection, others []Subject, symbols policy.Symbols) ([]Subject, error) {
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
	for _, s := range slices.Concat(o.own, o.shared, o.managed) {
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
			missing(s, TopicUserPolicies, policy.UserInline, policy.UserManaged)
			missing(s, TopicGroupPolicies, policy.GroupInline)
		} else {
			missing(s, TopicUserPolicies, policy.UserInline, policy.UserManaged)
		}
		missing(s, TopicBucketPolicy, policy.BucketPolicy)
		missing(s, TopicACL)
		missing(s, TopicAccessPoint, policy.AccessPoint)
		for _, t := range []Topic{TopicAccessGrants, TopicRoleTrust, TopicOtherResources, TopicVersioning} {
			missing(s, t)
		}
		s.Notes = slices.Clone(o.notes)
	}
	var out []Subject
	for _, arn := range sel.Principals {
		subject, ok := subjectOf(arn)
		if !ok || holds(others, arn) { // Check has refused what is no ARN
			continue
		}
		if len(sel.Tags) > 0 {
			subject.Tags, subject.TagsKnown = sel.tags(), true
		}
		subject.UniqueID = sel.PrincipalID
		s := Subject{Set: policy.Set{Subject: subject, Sources: o.alone(&subject), Symbols: symbols}}
		finish(&s)
		out = append(out, s)
	}
	if len(sel.Principals) == 0 {
		subject, _ := stranger(sel.Path)
		if slices.ContainsFunc(o.shared, func(src policy.Source) bool { return src.Kind == policy.Trust && src.Attached == "" }) {
			subject.Type, subject.ARN = policy.Role, strings.Replace(subject.ARN, ":user/", ":role/", 1)
		}
		if strings.Contains(sel.Prefix, placeholder) {
			return nil, &UsageError{Code: UsageNameless, Got: sel.Prefix}
		}
		s := Subject{Set: policy.Set{Subject: subject, Sources: o.alone(&subject), Symbols: symbols}}
		missing(&s, TopicPrincipal)
		finish(&s)
		out = append(out, s)
	}
	return out, nil
}

func holds(subjects []Subject, arn string) bool {
	return slices.ContainsFunc(subjects, func(s Subject) bool { return means(arn, &s.Set.Subject) })
}

// alone lists the documents as those of a principal that no other source holds:
// the managed policies that were given are its own as well.
func (o *loose) alone(p *policy.Subject) []policy.Source {
	kind := policy.UserManaged
	if p.Type == policy.Role || p.Type == policy.RoleSession {
		kind = policy.RoleManaged
	}
	out := o.all(p)
	for _, src := range o.managed {
		o.used[src.ARN] = true
		src.Kind = kind
		out = append(out, src)
	}
	return out
}

// all lists the documents as those of a principal.
func (o *loose) all(p *policy.Subject) []policy.Source {
	out := make([]policy.Source, 0, len(o.own)+len(o.shared))
	for _, s := range o.own {
		if s.Kind == policy.UserInline && (p.Type == policy.Role || p.Type == policy.RoleSession) {
			s.Kind = policy.RoleInline
		}
		out = append(out, s)
	}
	return append(out, o.shared...)
}

// give puts the managed policies that were given among those of the other
// sources.
func (o *loose) give(j *joined) {
	for i := range o.managed {
		j.policy(o.managed[i].ARN, &o.managed[i])
	}
}

// unused is a managed policy that was given and that nobody holds.
func (o *loose) unused() error {
	for _, src := range o.managed {
		if !o.used[src.ARN] {
			return &UsageError{Code: UsageUnheld, Got: src.ARN}
		}
	}
	return nil
}

// join adds the loose documents to subjects that another source found: the
// shared ones to all, a principal's own to those that were named.
func (o *loose) join(sel Selection, subjects []Subject) []Subject {
	for i := range subjects {
		s := &subjects[i]
		sources := o.shared
		if slices.ContainsFunc(sel.Principals, func(arn string) bool { return means(arn, &s.Set.Subject) }) {
			sources = o.all(&s.Set.Subject)
		}
		for _, src := range s.Set.Sources {
			o.used[src.ARN] = true
		}
		for _, src := range sources {
			s.Set.Sources = append(s.Set.Sources, src)
			if t, ok := toldBy[src.Kind]; ok {
				s.Assumptions = without(s.Assumptions, t)
			}
		}
		s.Notes = append(s.Notes, o.notes...)
	}
	return subjects
}

// toldBy are the topics of which a loose document tells.
var toldBy = map[policy.Kind]Topic{
	policy.BucketPolicy: TopicBucketPolicy, policy.AccessPoint: TopicAccessPoint, policy.KeyPolicy: TopicKeyPolicy,
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
