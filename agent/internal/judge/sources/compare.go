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

// compare gives each subject what the templates say about it; one that none of
// them knows gets an empty list. Whom they declare and a whole account lacks
// becomes a subject of its own. Templates are read as they would be deployed
// for the bucket in question.
func (l *loader) compare(subjects []Subject) ([]Subject, error) {
	deployments, err := l.deployments(l.sel.Compare, nil, true)
	if err != nil {
		return nil, err
	}
	var all []*joined
	for _, d := range deployments {
		j := join(d.parts, l.names.symbols)
		if len(j.conflicts) > 0 {
			return nil, sorted(j.conflicts)
		}
		all = append(all, j)
	}
	for i := range subjects {
		s := &subjects[i]
		s.Expected = []Expected{}
		for _, j := range all {
			e, gaps := expect(s, j)
			if e != nil {
				s.Expected = append(s.Expected, e)
			}
			for _, g := range gaps {
				if (g.Reason == GapOutcomes || g.Reason == GapUnresolved) && !slices.Contains(s.Gaps, g) {
					s.Gaps = append(s.Gaps, g) // what it should be isn't known
				}
			}
		}
	}
	return append(subjects, l.absent(subjects, all)...), nil
}

// expect is what a deployment says about a subject, and what of that it leaves
// open; nil where it doesn't know it.
func expect(s *Subject, j *joined) (Expected, []Gap) {
	at := slices.IndexFunc(j.principals, func(p *principal) bool { return p.declares(&s.Set.Subject) })
	if at < 0 {
		return nil, j.gaps
	}
	p := j.principals[at]
	own := j.subject(p)
	part := ExpectedPart{Symbols: j.symbols}
	bucket := "arn:" + s.Set.Subject.Partition + ":s3:::" + s.Set.Bucket
	var keys []string
	for _, a := range j.parts {
		if a.owns && a.bucket == s.Set.Bucket {
			part.OwnsBucket = true
			keys = append(keys, a.key)
		}
	}
	for _, src := range own.Set.Sources {
		switch src.Kind {
		case policy.Trust: // other roles' are not its own
			if src.Attached != p.subject.ARN {
				continue
			}
		case policy.BucketPolicy:
			if src.Attached != bucket {
				continue
			}
		case policy.AccessPoint:
			if src.Bucket != bucket {
				continue
			}
		case policy.KeyPolicy:
			if !slices.Contains(keys, src.Attached) {
				continue
			}
		default:
			// One policy of AWS is the same on both sides, whatever of it is known here.
			if at := slices.IndexFunc(s.Set.Sources, func(d policy.Source) bool { return d.ARN == src.ARN && d.Kind == src.Kind }); src.AsOf != "" && at >= 0 {
				src.Document = s.Set.Sources[at].Document
			}
		}
		part.Sources = append(part.Sources, src)
	}
	return Expected{part}, own.Gaps
}

// absent makes a subject of each principal that the templates declare under any
// outcome of their conditions, and that is not in an account that was read whole.
func (l *loader) absent(subjects []Subject, deployments []*joined) []Subject {
	accounts := map[string]bool{}
	for i := range subjects {
		accounts[subjects[i].Set.Subject.Account] = true
	}
	times := map[string]int{}
	var out []Subject
	for _, j := range deployments {
		for _, p := range j.principals {
			lost := l.whole[p.subject.Type] && (strings.HasPrefix(p.subject.Path, l.sel.Path) || l.named(p)) &&
				!slices.ContainsFunc(subjects, func(s Subject) bool { return p.declares(&s.Set.Subject) })
			if !lost {
				continue
			}
			key := p.declared.File + "\x00" + p.declared.Name
			if times[key]++; times[key] != len(deployments) {
				continue
			}
			s := Subject{
				Set:    policy.Set{Subject: p.subject, Bucket: p.home.bucket, Symbols: j.symbols},
				Prefix: p.home.prefix, Absent: &p.declared,
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
