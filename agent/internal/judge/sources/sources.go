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
