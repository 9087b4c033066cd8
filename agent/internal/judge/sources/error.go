package sources

import (
	"errors"
	"net/url"

	"buzon/agent/internal/client"
)

// UsageError is a selection that can't be read as it was given.
type UsageError struct {
	Code    Usage
	Got     string
	Account string // the one that is read
	Flag    string
}

// Usage is what is wrong with a selection.
type Usage string

// The faults of selections.
const (
	UsagePrincipal    Usage = "bad-principal" // not an ARN of a principal
	UsageUser         Usage = "bad-user"      // not what a user can be named as
	UsageRole         Usage = "bad-role"      // not what a role can be named as
	UsageElsewhere    Usage = "elsewhere"     // of another account or partition
	UsageAccount      Usage = "bad-account"   // not twelve digits
	UsageHook         Usage = "bad-hook"      // no ARN of what a document of that kind hangs on
	UsageNeedsARN     Usage = "needs-arn"     // nothing tells on what a document hangs
	UsageUnheld       Usage = "unheld"        // a managed policy that nobody holds
	UsageNameless     Usage = "nameless"      // {name}, and nobody to name
	UsagePlaceholder  Usage = "bad-placeholder"
	UsageOnePrincipal Usage = "one-principal" // tags or an id, and not one principal
	UsageTag          Usage = "bad-tag"
	UsageID           Usage = "bad-id"
	UsageNoBucket     Usage = "no-bucket"  // neither given nor in the source
	UsageNoPrefix     Usage = "no-prefix"  // neither given nor in the source
	UsagePrefix       Usage = "bad-prefix" // would mean something else in a policy
	UsageNobody       Usage = "nobody"     // the sources hold no principal

	UsageParameter   Usage = "bad-parameter"     // not NAME=VALUE
	UsageNoParameter Usage = "no-such-parameter" // in no template
)

func (e *UsageError) Error() string { return "sources: " + string(e.Code) + " " + e.Got }

// Message names the sentence of the error.
func (e *UsageError) Message() (string, []any) {
	return "sources." + string(e.Code), []any{"got", e.Got, "account", e.Account, "flag", e.Flag}
}

// NobodyError is a user, role or bucket that AWS doesn't know.
type NobodyError struct{ Kind, Name string }

func (e *NobodyError) Error() string { return "sources: no " + e.Kind + " " + e.Name }

// Message names the sentence of the error.
func (e *NobodyError) Message() (string, []any) {
	return "sources.no-such-" + e.Kind, []any{"name", e.Name}
}

// ReadError is a live read that failed in a way that makes all others
// pointless.
type ReadError struct {
	What string
	code string // of an answer that was none
	err  error
}

func (e *ReadError) Error() string { return "sources: read " + e.What + ": " + e.why() }

func (e *ReadError) Unwrap() error { return e.err }

// Message names the sentence of the error.
func (e *ReadError) Message() (string, []any) {
	return "sources.read-failed", []any{"what", e.What, "why", e.why()}
}

// why is what AWS answered, or what broke on the way, without the SDK's own
// chain of words around it.
func (e *ReadError) why() string {
	err := e.err
	if err == nil {
		return e.code
	}
	if f := client.Classify(err); f.Message != "" {
		return f.Code + ": " + f.Message
	}
	var request *url.Error
	if errors.As(err, &request) {
		return request.Error()
	}
	return err.Error()
}
