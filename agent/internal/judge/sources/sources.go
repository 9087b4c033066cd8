// Package sources finds principals and the policy documents that bear on them:
// in loose files, in synthesized CloudFormation templates, in an account's
// authorization details, and in live IAM, S3 and KMS. Every read of IAM that the
// agent makes is made here.
//
// Load gives one Subject for each principal that the selection picks: its
// documents as a policy.Set, and beside them what could add rights but was not
// given (assumptions) or could not be read (gaps). It judges nothing, and it
// does not promise that a document is good for anything: only that no document
// it was told of is left out in silence. A malformed file is a policy.Errors
// with its places; nothing is returned beside it.
package sources

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"buzon/agent/internal/client"
	"buzon/agent/policy"
)

// Selection says what to read and whom to pick from it.
type Selection struct {
	// Bucket and Prefix are what the principals are held to; Prefix may hold
	// {name}. Either may be empty where a template's outputs name them.
	Bucket, Prefix string
	BucketAccount  string // "" is the principal's own
	Region         string // of the bucket; "" where it isn't known

	// Path picks principals in sources that hold many: those whose path begins
	// with it. "/" picks all.
	Path string

	Principals  []string   // ARNs to whom the loose documents belong
	Tags        []string   // NAME=VALUE, all of the one principal's; nil where they aren't known
	PrincipalID string     // AIDA…, AROA… of the one principal
	Documents   []Document // loose documents
	Templates   []string   // files
	Compare     []string   // templates that what is deployed is held against, together
	Plans       []string   // files of terraform show -json
	Exports     []string   // files
	Users       []string   // live, by name or ARN
	Roles       []string   // live, by name or ARN
	All         bool       // live, whoever is under Path
	AllBuckets  bool       // live, the policies of the account's other buckets too

	Parameters     []string // NAME=VALUE, of templates
	ParameterFiles []string // as the AWS CLI's --parameters takes them
}

// Live reports whether the selection needs AWS.
func (s Selection) Live() bool { return s.All || len(s.Users) > 0 || len(s.Roles) > 0 }

// Empty reports whether the selection names no source at all.
func (s Selection) Empty() bool {
	return !s.Live() && len(s.Documents) == 0 && len(s.Templates) == 0 && len(s.Plans) == 0 && len(s.Exports) == 0
}

// Document is one loose document.
type Document struct {
	Kind  policy.Kind
	Level string // of an SCP
	On    string // ARN of what it hangs on, "" where that wasn't said; of a managed policy its own
	File  string
	Flag  string // by which it was given
}

// Access is how the outside is reached.
type Access struct {
	// ReadFile reads a file; of the name "-" standard input, once.
	ReadFile func(name string) ([]byte, error)
	// Stdin is what standard input is called in places; "" leaves it "-".
	Stdin string
	// AWS is nil unless Selection.Live.
	AWS *client.AWS
	// Progress, if set, is called as live reads go on, never twice at a time.
	Progress func(Progress)
}

// Progress tells how far the live reads are.
type Progress struct {
	Principal string
	Done, All int // principals; All is 0 while nobody knows how many there are
	// Waiting is the call that keeps everything waiting, "" where none does;
	// Principal is then what it asks about.
	Waiting string
}

// Found is what Load returns.
type Found struct {
	Subjects  []Subject
	NotJudged int // principals that Path left out
	// Texts holds the files that were read, by the name they were given, to show
	// lines of them.
	Texts map[string][]byte
	// Parameters are the values given for parameters of templates, as they may be
	// shown.
	Parameters map[string]string
	// Caller is the ARN by which live sources were read, "" where none were.
	Caller string
	// Requests are the answers of live sources, in the order in which they came.
	Requests []Request
	// Secrets are the values that a source marks as such: of parameters with NoEcho,
	// and what a plan calls sensitive. No output may hold them.
	Secrets []string
}

// Subject is one principal with all that was read about it.
type Subject struct {
	Set         policy.Set
	Prefix      string // {name} replaced; "" where it isn't known
	Assumptions []Assumption
	Gaps        []Gap
	Notes       []Note
	Versioning  Versioning
	Simulations []Simulation // AWS's own answers; nil where it wasn't asked
	Credentials *Credentials // nil where they were not read
	// Live: read from AWS itself, with the policies of the bucket's access points
	// and of its key.
	Live bool
	// Key is the ARN of the KMS key that encrypts the bucket by default, "" where
	// there is none of the account's own, or it isn't known.
	Key         string
	makesBucket bool // a source makes the bucket: it is the principal's account's
	// Expected is what templates say that should be deployed, one for each outcome
	// of their conditions; nil where there are none to compare with, empty where
	// they don't know the principal.
	Expected []Expected
	// Absent is where a template declares a principal that is not there: all else
	// about it is then empty.
	Absent *Declared
	// When says under which outcome of what templates leave open these are the
	// documents: "${Stage} = prod", "${Stage} ≠ prod". Subjects of one Whose are the
	// outcomes of one principal; a principal that is the same in all has none.
	When []string
	// Whose names the principal, the same in all outcomes: its ARN, with the account
	// open where outcomes differ in it.
	Whose string
}

// Topic is something that can add rights to a principal.
type Topic string

// The topics of assumptions.
const (
	TopicPrincipal      Topic = "principal"
	TopicUserPolicies   Topic = "user-policies"
	TopicGroupPolicies  Topic = "group-policies"
	TopicBucketPolicy   Topic = "bucket-policy"
	TopicAccessPoint    Topic = "access-point"
	TopicAccessGrants   Topic = "access-grants"
	TopicRoleTrust      Topic = "role-trust"
	TopicOtherResources Topic = "other-resources"
	TopicACL            Topic = "acl"
	TopicVersioning     Topic = "versioning"
	TopicCredentials    Topic = "credentials"
	TopicKeyPolicy      Topic = "key-policy"
	TopicBucketOwner    Topic = "bucket-owner"
	TopicAWSManaged     Topic = "aws-managed-policy"
	TopicNestedStack    Topic = "nested-stack"
	TopicCustomResource Topic = "custom-resource"

	// TopicPath: a principal's path is open, and taken to be one of those to judge.
	TopicPath Topic = "path"

	TopicOutsidePlan Topic = "outside-the-plan"
	TopicPlanPartial Topic = "plan-partial"
	TopicOtherStack  Topic = "other-stack"
	TopicPrivateType Topic = "private-type"
)

// Why says why a topic was not read.
type Why string

// The reasons of assumptions.
const (
	NotGiven Why = "not given"
	NotRead  Why = "not read"
	Outside  Why = "outside the template"

	OutsidePlan Why = "outside the plan"
)

// Assumption is something that could add rights and was not read.
type Assumption struct {
	What Topic
	Why  Why
}

// GapReason says why a document that should be judged could not be.
type GapReason string

// The reasons of gaps.
const (
	// GapDenied: the reader lacks a permission.
	GapDenied GapReason = "not-permitted"
	// GapFailed: the read failed in another way, again and again.
	GapFailed GapReason = "not-readable"
	// GapUnknownPolicy: a managed policy whose document is nowhere to be had.
	GapUnknownPolicy GapReason = "policy-unknown"
	// GapUnknownGroup: a group whose policies are nowhere to be had.
	GapUnknownGroup GapReason = "group-unknown"
	// GapUnresolved: a part of a template whose value synthesis can't know.
	GapUnresolved GapReason = "template-unresolved"
	// GapOutcomes: what templates leave open has more outcomes than are looked at;
	// What names what would have to be given.
	GapOutcomes GapReason = "too-many-outcomes"
	// GapNotModelled: a way to rights that this judge does not follow to its end.
	GapNotModelled GapReason = "not-modelled"
	// GapTruncated: the export holds only a part of the account.
	GapTruncated GapReason = "truncated"
	// GapContradicts: what the source says of it can't all be so.
	GapContradicts GapReason = "contradicts"
	// GapMalformed: what AWS gave is not a policy document.
	GapMalformed GapReason = "malformed"
)

// Gap is something that must be read for a verdict and could not be.
type Gap struct {
	Reason     GapReason
	What       string // an ARN, a name, an expression
	Permission string // the missing one, if that is why
	Call       string // the live read that failed: "s3:GetBucketAcl"
	Code       string // why it failed: AWS's error code, or a Lost
	Source     int    // index in the set's sources, or -1
	File       string // of Pos
	Pos        policy.Position
}

// MayAllow reports whether what is missing may hold an Allow that the principal
// lives by: a policy of its own, of its groups, or the bucket's.
func (g Gap) MayAllow() bool {
	switch g.Reason {
	case GapUnknownPolicy, GapUnknownGroup, GapTruncated, GapContradicts, GapMalformed, GapUnresolved, GapOutcomes, GapNotModelled:
		return true
	case GapDenied, GapFailed:
		return strings.HasPrefix(g.Call, "iam:") && g.Call != "iam:ListRoles" && g.Call != simulated || g.Call == "s3:GetBucketPolicy"
	}
	return false
}

// Note is something that a reader should know of how the sources were read.
type Note struct {
	What   NoteWhat
	Source int    // index in the set's sources, or -1
	Name   string // what it is about, where that is no source
}

// NoteWhat says what a note tells.
type NoteWhat string

// The notes.
const (
	// NoteGuessedARN: the principal could not be read; its ARN is made of its name.
	NoteGuessedARN NoteWhat = "arn-guessed"
	// NoteOldVersion: the file's version of a managed policy isn't the default one.
	NoteOldVersion NoteWhat = "old-version"
	// NoteAWSManaged: policies of AWS are taken as they were known at the date Name.
	NoteAWSManaged NoteWhat = "aws-managed-policy"
	// NoteACLElsewhere: the bucket's ACL gives something to another account, Name.
	NoteACLElsewhere NoteWhat = "acl-elsewhere"
	// NoteAllBuckets: the policies of all buckets of the account were read, Name of them.
	NoteAllBuckets NoteWhat = "all-buckets"
	// NoteUnwrapped: the file held more than the document, which was taken out of
	// the element Name.
	NoteUnwrapped NoteWhat = "unwrapped"
)

// Versioning is what is known of a bucket's versioning.
type Versioning uint8

// The states of versioning.
const (
	VersioningUnknown Versioning = iota
	VersioningOff
	VersioningOn
)

// Credentials are a user's, as far as the audit looks at them.
type Credentials struct {
	Keys     []Key
	Password bool
	// Others counts credentials besides access keys and password, by kind:
	// "certificate", "ssh-key", "service-credential".
	Others map[string]int
}

// Key is one access key; its id is not kept whole.
type Key struct {
	ID      string // the last four characters
	Active  bool
	Created time.Time
}

// Load reads everything that the selection names.
func Load(ctx context.Context, sel Selection, access Access) (*Found, error) {
	return loadWithin(ctx, sel, access, liveBounds())
}

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
