package sources

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"buzon/agent/policy"
)

func loadWithin(ctx context.Context, sel Selection, access Access, within bounds) (*Found, error) {
	l := &loader{
		sel: sel, access: access, texts: map[string][]byte{}, whole: map[policy.Type]bool{},
		notJudged: map[string]bool{}, names: newNames(), bounds: within,
	}
	if l.sel.Path == "" {
		l.sel.Path = "/buzon/"
	}
	if access.Stdin != "" {
		l.nameStdin()
	}
	return l.load(ctx)
}

type loader struct {
	sel        Selection
	access     Access
	texts      map[string][]byte
	notJudged  map[string]bool      // ARNs
	whole      map[policy.Type]bool // of which all that an account has were read
	names      *names               // of what templates leave open
	parameters parameters           // given for templates
	account    string               // what AWS::AccountId is, "" where it isn't known
	bounds     bounds               // of live reads
	caller     string               // ARN by which live sources were read
	requests   requests             // that live sources answered
	secrets    []string             // that plans hold
}

func (l *loader) load(ctx context.Context) (*Found, error) {
	loose, err := l.readLoose()
	if err != nil {
		return nil, err
	}
	deployed, err := l.deployed(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.readParameters(); err != nil {
		return nil, err
	}
	var plans []*templateFile
	for _, file := range l.sel.Plans {
		p, err := l.readPlan(file)
		if err != nil {
			return nil, err
		}
		plans = append(plans, p)
	}
	l.account = l.accountOf(deployed, plans)
	deployments, err := l.deployments(l.sel.Templates, plans, false)
	if err != nil {
		return nil, err
	}
	subjects, err := l.subjects(loose, deployed, deployments)
	if err != nil {
		return nil, err
	}
	if len(subjects) == 0 && len(l.notJudged) == 0 {
		return nil, &UsageError{Code: UsageNobody}
	}
	if held := len(subjects); len(l.sel.Compare) > 0 {
		subjects, err = l.compare(subjects)
		if err != nil {
			return nil, err
		}
		for i := range subjects[held:] {
			if err := l.aim(&subjects[held+i]); err != nil {
				return nil, err
			}
		}
	}
	if err := l.parameters.unused(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(subjects, func(a, b Subject) int { return strings.Compare(a.Set.Subject.ARN, b.Set.Subject.ARN) })
	return &Found{
		Subjects: subjects, NotJudged: len(l.notJudged), Texts: l.texts, Parameters: l.parameters.shown(), Caller: l.caller,
		Requests: l.requests.list, Secrets: secrets(append(l.secrets, l.parameters.secrets()...)),
	}, nil
}

// deployed reads what is there already: exports and live accounts.
func (l *loader) deployed(ctx context.Context) ([]*account, error) {
	var out []*account
	for _, file := range l.sel.Exports {
		a, err := l.readExport(file)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	if l.sel.Live() {
		a, err := l.readLive(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// accountOf is the account in which the templates are taken to be deployed: the
// one of everything else that was given, if that is one.
func (l *loader) accountOf(deployed []*account, plans []*templateFile) string {
	found := ""
	add := func(id string) {
		switch {
		case !isAccount(id), id == found:
		case found == "":
			found = id
		default:
			found = "-"
		}
	}
	for _, a := range deployed {
		for _, p := range a.principals {
			add(p.subject.Account)
		}
	}
	for _, p := range plans {
		add(planAccount(p.plan))
	}
	for _, arn := range l.sel.Principals {
		if s, ok := subjectOf(arn); ok {
			add(s.Account)
		}
	}
	if !isAccount(found) {
		return ""
	}
	return found
}

// subjects makes the subjects of each deployment. A principal whose documents are
// the same in several is there once.
func (l *loader) subjects(loose *loose, deployed []*account, deployments []deployment) ([]Subject, error) {
	var out []Subject
	seen := map[string]int{}
	of := map[string]int{} // outcomes of a principal
	for _, d := range deployments {
		j := join(append(slices.Clone(deployed), d.parts...), l.names.symbols)
		loose.give(j)
		if len(j.conflicts) > 0 {
			return nil, sorted(j.conflicts)
		}
		found := loose.join(l.sel, l.cut(j))
		own, err := loose.subjects(l.sel, found, l.names.symbols)
		if err != nil {
			return nil, err
		}
		for i := range own {
			j.around(&own[i])
		}
		for _, s := range append(found, own...) {
			if err := l.aim(&s); err != nil {
				return nil, err
			}
			if faults := conflicts(&s); len(faults) > 0 {
				return nil, sorted(faults)
			}
			key := fingerprint(&s)
			if _, there := seen[key]; there {
				continue
			}
			seen[key] = len(out)
			s.When = d.when
			s.Whose = s.Set.Subject.ARN
			if d.account != "" {
				open, _ := l.names.symbol("AWS::AccountId", "", false)
				s.Whose = strings.Replace(s.Whose, ":"+d.account+":", ":"+showSymbols(l.names.symbols, open)+":", 1)
			}
			s.Whose = s.Show(s.Whose)
			of[s.Whose]++
			out = append(out, s)
		}
	}
	if err := loose.unused(); err != nil {
		return nil, err
	}
	if len(out) == 0 && len(l.notJudged) == 0 {
		return l.unseen(deployments)
	}
	for i := range out {
		if of[out[i].Whose] == 1 {
			out[i].When = nil // the same in all outcomes
		}
	}
	return out, nil
}

// unseen makes a subject of whoever may be made by what the templates don't show,
// where they show nobody.
func (l *loader) unseen(deployments []deployment) ([]Subject, error) {
	for _, d := range deployments {
		var gaps []Gap
		for _, a := range d.parts {
			gaps = append(append(gaps, a.gaps...), a.makers...)
		}
		if len(gaps) == 0 {
			continue
		}
		subject, symbols := stranger(l.sel.Path)
		s := Subject{
			Set: policy.Set{Subject: subject, Symbols: symbols, Bucket: d.parts[0].bucket}, Prefix: d.parts[0].prefix,
			Gaps: gaps, Assumptions: []Assumption{{TopicPrincipal, NotGiven}},
		}
		s.Whose = s.Show(subject.ARN)
		if err := l.aim(&s); err != nil {
			return nil, err
		}
		return []Subject{s}, nil
	}
	return nil, nil
}

// conflicts finds two different documents of one thing among what bears on a
// principal.
func conflicts(s *Subject) policy.Errors {
	j := &joined{symbols: s.Set.Symbols}
	var kept []policy.Source
	for _, src := range s.Set.Sources {
		kept = j.once(kept, src)
	}
	return j.conflicts
}

// aim fills in what the subject is held to where its source did not say, and
// puts its name into the prefix.
func (l *loader) aim(s *Subject) error {
	if l.sel.Bucket != "" {
		s.Set.Bucket = l.sel.Bucket
	}
	if l.sel.BucketAccount != "" {
		s.Set.BucketAccount = l.sel.BucketAccount
	}
	if l.sel.Prefix != "" {
		s.Prefix = l.sel.Prefix
	}
	if err := checkPrefix(s.Prefix); err != nil {
		return err
	}
	s.Prefix = strings.ReplaceAll(s.Prefix, placeholder, s.Set.Subject.Name)
	if s.Set.Bucket == "" {
		return &UsageError{Code: UsageNoBucket}
	}
	if s.Prefix == "" {
		return &UsageError{Code: UsageNoPrefix}
	}
	if s.Set.BucketAccount == "" && !s.makesBucket && s.Absent == nil {
		s.Assumptions = append(s.Assumptions, Assumption{TopicBucketOwner, NotGiven})
	}
	l.hangOn(s)
	if !strings.HasSuffix(s.Prefix, "/") || strings.ContainsAny(s.Prefix, "*?$") {
		return &UsageError{Code: UsagePrefix, Got: s.Show(s.Prefix)}
	}
	return nil
}

// hang says on what the loose documents hang of which that wasn't said.
func (l *loader) hangOn(s *Subject) {
	p := &s.Set.Subject
	bucket := "arn:" + p.Partition + ":s3:::" + s.Set.Bucket
	for i := range s.Set.Sources {
		src := &s.Set.Sources[i]
		switch {
		case src.Kind == policy.BucketPolicy && src.Attached == "":
			src.Attached = bucket
		case src.Kind == policy.AccessPoint && src.Bucket == ofTarget:
			src.Bucket = bucket
		case src.Kind == policy.KeyPolicy && src.Attached == "":
			id, _ := l.names.symbol("key of the bucket", "${Key}", false)
			region, _ := l.names.symbol("Region of the bucket", "${Region}", false)
			if l.sel.Region != "" {
				region = l.sel.Region
			}
			src.Attached = "arn:" + p.Partition + ":kms:" + region + ":" + p.Account + ":key/" + id
		case src.Kind == policy.Trust && src.Attached == "" && p.Type == policy.Role:
			src.Attached = p.ARN
		case src.Kind == policy.Trust && src.Attached == "" && p.Type == policy.RoleSession:
			src.Attached = "arn:" + p.Partition + ":iam::" + p.Account + ":role/" + p.Name
		}
	}
	p.Pinned = pinned(p, s.Set.Sources)
}

// picks reports whether a principal of that path is to be judged, and counts it
// where it is not. One whose path is open is taken to be under the path asked for, if
// it may be.
func (l *loader) picks(p *principal) bool {
	if strings.HasPrefix(p.subject.Path, l.sel.Path) {
		return true
	}
	if p.path != "" && mayBe(p.path, l.sel.Path+string(policy.FirstSymbol)) {
		p.topics = append(slices.Clip(p.topics), Assumption{TopicPath, NotGiven})
		return true
	}
	l.notJudged[p.subject.ARN] = true
	return false
}

// nameStdin gives standard input a name for places, wherever a file may be it.
func (l *loader) nameStdin() {
	l.sel.Documents = slices.Clone(l.sel.Documents)
	for i := range l.sel.Documents {
		if d := &l.sel.Documents[i]; d.File == "-" {
			d.File = l.access.Stdin
		}
	}
	for _, files := range []*[]string{&l.sel.Templates, &l.sel.Compare, &l.sel.Plans, &l.sel.Exports, &l.sel.ParameterFiles} {
		*files = slices.Clone(*files)
		for i, file := range *files {
			if file == "-" {
				(*files)[i] = l.access.Stdin
			}
		}
	}
}

func (l *loader) read(file string) ([]byte, error) {
	name := file
	if file == l.access.Stdin {
		name = "-"
	}
	if text, ok := l.texts[file]; ok && name == "-" {
		return text, nil
	}
	text, err := l.access.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	l.texts[file] = text
	return text, nil
}
