package sources

import (
	"regexp"
	"slices"
	"strings"

	"buzon/agent/policy"
)

// Expected is what the templates together say that should be deployed of a
// subject and of the bucket, under one outcome of their conditions.
type Expected []ExpectedPart

// ExpectedPart is what one template says.
type ExpectedPart struct {
	Sources []policy.Source
	Symbols policy.Symbols
	// OwnsBucket: the template makes the bucket, so that whatever hangs on it and
	// is not in a template was put there in another way.
	OwnsBucket bool
}

// Declared is the place of a template where a resource is declared.
type Declared struct {
	Name string // its logical id
	File string
	Pos  policy.Position
}

// outcome is what one template says under one outcome of its conditions.
type outcome struct {
	file string
	when []string
	*account
}

// compare gives each subject what the templates say about it; one that none of
// them knows gets an empty list. Whom they declare and a whole account lacks
// becomes a subject of its own. Templates are read as they would be deployed
// for the bucket in question.
func (l *loader) compare(subjects []Subject) ([]Subject, error) {
	deployments := [][]outcome{nil}
	for _, file := range l.sel.Compare {
		outcomes, err := l.outcomes(file)
		if err != nil {
			return nil, err
		}
		var next [][]outcome
		for _, d := range deployments {
			for _, o := range outcomes {
				next = append(next, append(slices.Clone(d), o))
			}
		}
		if len(next) > 4*maxBranches {
			for i := range subjects {
				subjects[i].Gaps = append(subjects[i].Gaps, Gap{Reason: GapUnresolved, What: file, Source: -1})
			}
			return subjects, nil
		}
		deployments = next
	}
	for i := range subjects {
		s := &subjects[i]
		s.Expected = []Expected{}
		for _, d := range deployments {
			if e := expect(s, d); e != nil {
				s.Expected = append(s.Expected, e)
			}
		}
	}
	return append(subjects, l.absent(subjects, deployments)...), nil
}

// expect is what a deployment says about a subject; nil where it doesn't know it.
func expect(s *Subject, deployment []outcome) Expected {
	var out Expected
	known := false
	bucket := "arn:" + s.Set.Subject.Partition + ":s3:::" + s.Set.Bucket
	for _, o := range deployment {
		part := ExpectedPart{Symbols: o.symbols, OwnsBucket: o.owns && o.bucket == s.Set.Bucket}
		for _, p := range o.principals {
			if !known && p.declares(&s.Set.Subject) {
				known = true
				own := o.subject(p)
				part.Sources = slices.DeleteFunc(own.Set.Sources, func(src policy.Source) bool {
					// The resources' follow; other roles' trust policies are not its own.
					return src.Kind == policy.Trust && src.Attached != p.subject.ARN ||
						src.Kind == policy.BucketPolicy || src.Kind == policy.AccessPoint || src.Kind == policy.KeyPolicy
				})
			}
		}
		for _, src := range o.resources {
			if src.Kind == policy.BucketPolicy && src.Attached == bucket ||
				src.Kind == policy.AccessPoint && src.Bucket == bucket ||
				src.Kind == policy.KeyPolicy && part.OwnsBucket && src.Attached == o.key {
				part.Sources = append(part.Sources, src)
			}
		}
		out = append(out, part)
	}
	if !known {
		return nil
	}
	return out
}

// absent makes a subject of each principal that the templates declare under any
// outcome of their conditions, and that is not in an account that was read whole.
func (l *loader) absent(subjects []Subject, deployments [][]outcome) []Subject {
	accounts := map[string]bool{}
	for i := range subjects {
		accounts[subjects[i].Set.Subject.Account] = true
	}
	times := map[string]int{}
	var out []Subject
	for _, d := range deployments {
		for _, o := range d {
			for _, p := range o.principals {
				lost := l.whole[p.subject.Type] && (strings.HasPrefix(p.subject.Path, l.sel.Path) || l.named(p)) &&
					!slices.ContainsFunc(subjects, func(s Subject) bool { return p.declares(&s.Set.Subject) })
				key := o.file + "\x00" + p.declared.Name
				if !lost {
					continue
				}
				if times[key]++; times[key] != len(deployments) {
					continue
				}
				s := Subject{
					Set:    policy.Set{Subject: p.subject, Bucket: o.bucket, Symbols: o.symbols},
					Prefix: o.prefix, Absent: &Declared{p.declared.Name, o.file, p.declared.Pos},
				}
				if len(accounts) == 1 {
					for account := range accounts {
						s.Set.Subject.ARN = strings.Replace(s.Set.Subject.ARN, s.Set.Subject.Account, account, 1)
						s.Set.Subject.Account = account
					}
				}
				out = append(out, s)
			}
		}
	}
	return out
}

// declares reports whether a deployed principal is the one that a template
// declares. What only deployment knew stands for any text; a name that
// CloudFormation made is STACK-LOGICALID-SUFFIX (CloudFormation User Guide,
// "Name type").
func (p *principal) declares(s *policy.Subject) bool {
	t := &p.subject
	if t.Type != s.Type || t.Partition != s.Partition || !stands(t.Account, s.Account) || !stands(t.Path, s.Path) {
		return false
	}
	if p.unnamed {
		return strings.Contains(s.Name, "-"+p.declared.Name+"-")
	}
	return stands(t.Name, s.Name)
}

// stands reports whether a text of a template is, or may become, another.
func stands(declared, text string) bool {
	if !policy.HasSymbol(declared) {
		return declared == text
	}
	var b strings.Builder
	for _, r := range declared {
		if policy.IsSymbol(r) {
			b.WriteString(".+")
		} else {
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	ok, err := regexp.MatchString("^"+b.String()+"$", text)
	return ok && err == nil
}
