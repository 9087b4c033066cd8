package client

import (
	"fmt"
	"time"
)

// SourceKind says which link of the SDK's default chain gave the credentials.
type SourceKind string

// The links of the chain, as `agent check` names them.
const (
	SourceEnvironment SourceKind = "environment"
	SourceFile        SourceKind = "file"
	SourceProcess     SourceKind = "process"
	SourceSSO         SourceKind = "sso"
	SourceLogin       SourceKind = "login"
	SourceWebIdentity SourceKind = "web-identity"
	SourceRole        SourceKind = "role"
	SourceContainer   SourceKind = "container"
	SourceInstance    SourceKind = "instance"
)

// Source tells where credentials come from. It never holds more of the key
// than the last four characters of its id.
type Source struct {
	Kind    SourceKind
	File    string // the file that names them, for everything that a profile gives
	Owner   string // of that file, by name where it has one
	Mode    string // of that file, in octal
	Profile string // the profile that was asked, "default" if none was named
	// Key is the last four characters of the access key id.
	Key string
	// Temporary is true for credentials that carry a session token.
	Temporary bool
	// Expires is zero for credentials that don't.
	Expires time.Time
}

// Problem is the closed set of what can be wrong with credentials before
// anything is asked over the network.
type Problem string

// The problems; each has its sentence, "credentials." + its name.
const (
	NoCredentials   Problem = "none"            // Places
	HalfPair        Problem = "half-pair"       // Variable is set, Missing is not
	HalfProfile     Problem = "half-profile"    // Profile in File has Variable and not Missing
	LooseFile       Problem = "loose-file"      // File, Mode
	UnreadableFile  Problem = "unreadable-file" // File
	OddFile         Problem = "odd-file"        // File, Code: "special" if it is no regular file, "size"
	BrokenFile      Problem = "broken-file"     // File, Line, Code: see brokenLine
	FlawedValue     Problem = "flawed-value"    // Variable, and File and Line if it stands in one; Code: see flaw
	UnknownProfile  Problem = "unknown-profile" // Profile, Places
	NearProfile     Problem = "near-profile"    // Profile, File, Line, Missing: what stands there
	BadProfile      Problem = "bad-profile"     // Profile, File: what it holds contradicts itself
	BadBundle       Problem = "bad-bundle"      // Variable, File, Code: what is wrong with the certificates
	BadEndpoint     Problem = "bad-endpoint"    // Variable, and File and Line if it stands in one; Code: see flawOfAddress
	RoleAlone       Problem = "role-alone"      // Profile, File: a role, and nothing to assume it with
	RoleKeyless     Problem = "role-keyless"    // Profile, File: a role over keys of the environment, which has none
	ProcessFailed   Problem = "process-failed"  // Profile, File, Code
	ProcessHung     Problem = "process-hung"    // Profile, File, Timeout
	ProcessRubbish  Problem = "process-rubbish" // Profile, File
	ProcessChild    Problem = "process-child"   // Profile, File: it ended, and left a child that holds its output
	LoginExpired    Problem = "login-expired"   // Profile: an SSO or console login that ended
	SourceFailed    Problem = "source-failed"   // Kind, Code
	SlowFiles       Problem = "slow-files"      // the files could not be read in time
	NoRegion        Problem = "no-region"       // Profile
	EnvironmentWins Problem = "environment-wins"
	ProfileWins     Problem = "profile-wins"
)

// CredentialsError is a Problem with what its sentence needs. Its text holds
// no secret and nothing that a credential_process printed.
type CredentialsError struct {
	Problem  Problem
	Kind     SourceKind
	File     string
	Line     int
	Profile  string
	Mode     string
	Variable string
	Missing  string
	Code     string
	Places   string
	Timeout  time.Duration
	cause    error
}

// Error names the problem and its place, for logs.
func (e *CredentialsError) Error() string {
	s := "find credentials: " + string(e.Problem)
	switch {
	case e.Line > 0:
		s += fmt.Sprintf(": %s:%d", e.File, e.Line)
	case e.File != "":
		s += ": " + e.File
	}
	if e.Variable != "" {
		s += ": " + e.Variable
	}
	if e.Profile != "" {
		s += fmt.Sprintf(" (profile %s)", e.Profile)
	}
	if e.Code != "" {
		s += ": " + e.Code
	}
	return s
}

// Unwrap gives the SDK's error, where it cannot hold a secret.
func (e *CredentialsError) Unwrap() error { return e.cause }

// Args are the named arguments of the problem's sentence.
func (e *CredentialsError) Args() map[string]string {
	args := map[string]string{}
	put := func(name, value string) {
		if value != "" {
			args[name] = value
		}
	}
	put("kind", string(e.Kind))
	put("path", e.File)
	if e.Line > 0 {
		args["line"] = fmt.Sprint(e.Line)
	}
	if put("where", e.Variable); e.File != "" && e.Variable != "" {
		args["where"] = fmt.Sprintf("%s (%s:%d)", e.Variable, e.File, e.Line)
	}
	put("profile", e.Profile)
	put("mode", e.Mode)
	put("variable", e.Variable)
	put("missing", e.Missing)
	put("code", e.Code)
	put("places", e.Places)
	if e.Timeout > 0 {
		args["timeout"] = e.Timeout.String()
	}
	return args
}

// lastFour is all of a key id that is ever shown.
func lastFour(id string) string {
	if len(id) < 8 {
		return ""
	}
	return id[len(id)-4:]
}
